#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "One description behind several descriptors and processes; separate opens stay separate";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

/* Two copies of one open, and another open. */
static int one, copy, other;
/* Place of the copy in the child that moved it. */
#define MOVED_TO 77

static int inherit_check(void *arg)
{
	(void)arg;
	if (lseek(one, 0, SEEK_CUR) != 1000 || lseek(copy, 0, SEEK_CUR) != 1000)
		return fail("child: position is %ld, the parent moved it to 1000", lseek(one, 0, SEEK_CUR));
	if (lseek(other, 0, SEEK_CUR) != 20)
		return fail("child: the other position is %ld", lseek(other, 0, SEEK_CUR));
	return lseek(copy, 1500, SEEK_SET) != 1500;
}

static int moved_prepare(void *arg)
{
	(void)arg;
	return dup2(one, MOVED_TO) != MOVED_TO || close(one) || close(copy) || close(other);
}

static int moved_check(void *arg)
{
	(void)arg;
	if (lseek(MOVED_TO, 0, SEEK_CUR) != 1500)
		return fail("second child: position is %ld", lseek(MOVED_TO, 0, SEEK_CUR));
	/* Flags of the description are shared as well. */
	return fcntl(MOVED_TO, F_SETFL, O_APPEND) || lseek(MOVED_TO, 1700, SEEK_SET) != 1700;
}

static int own_prepare(void *arg)
{
	(void)arg;
	close(one);
	close(copy);
	/* The same number and the same file, but an open of its own. */
	return open(filename, O_RDWR) != one || lseek(one, 33, SEEK_SET) != 33;
}

static int own_check(void *arg)
{
	(void)arg;
	return lseek(one, 0, SEEK_CUR) != 33 ? fail("third child: position is %ld", lseek(one, 0, SEEK_CUR)) : 0;
}

int main(int argc, char **argv)
{
	struct fd_state state[3];
	pid_t kids[3];

	test_init(argc, argv);

	one = file_create(filename, O_RDWR, 0644);
	copy = dup(one);
	other = open(filename, O_RDWR);
	if (one < 0 || copy < 0 || other < 0 || fcntl(copy, F_SETFD, FD_CLOEXEC))
		return pr_perror("open %s", filename);
	lseek(one, 10, SEEK_SET);
	lseek(other, 20, SEEK_SET);
	kids[0] = kid_start(NULL, inherit_check, NULL);
	kids[1] = kid_start(moved_prepare, moved_check, NULL);
	kids[2] = kid_start(own_prepare, own_check, NULL);
	if (kids[0] < 0 || kids[1] < 0 || kids[2] < 0)
		return 1;
	if (fd_state_get(one, &state[0]) || fd_state_get(copy, &state[1]) || fd_state_get(other, &state[2]))
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(one, &state[0], FD_SAME_INODE) || fd_state_changed(copy, &state[1], FD_SAME_INODE) ||
	    fd_state_changed(other, &state[2], FD_SAME_INODE))
		return fail("descriptors changed");
	if (fd_same_offset(one, copy) != 1 || fd_same_offset(one, other))
		return fail("positions are not shared as before");
	if (lseek(one, 1000, SEEK_SET) != 1000 || kid_finish(kids[0]))
		return fail("child");
	if (lseek(one, 0, SEEK_CUR) != 1500)
		return fail("the child's move is not seen");
	if (kid_finish(kids[1]))
		return fail("second child");
	if (lseek(copy, 0, SEEK_CUR) != 1700 || !(fcntl(one, F_GETFL) & O_APPEND) || (fcntl(other, F_GETFL) & O_APPEND))
		return fail("position or flags are not shared with the second child");
	if (kid_finish(kids[2]))
		return fail("third child");
	if (lseek(one, 0, SEEK_CUR) != 1700)
		return fail("the third child moved the position");

	pass();
	return 0;
}
