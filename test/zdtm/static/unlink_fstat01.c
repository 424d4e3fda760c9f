#include <fcntl.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "A deleted file open in relatives: inherited description and separate ones, two deleted names";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int fd, linked;

static int child_check(void *arg)
{
	struct stat one, two;

	(void)arg;
	if (lseek(fd, 0, SEEK_CUR) != 4000)
		return fail("child: inherited position is %ld", lseek(fd, 0, SEEK_CUR));
	if (fstat(fd, &one) || fstat(linked, &two) || one.st_ino != two.st_ino || one.st_dev != two.st_dev)
		return fail("child: the two names are two files");
	return write(fd, "child", 5) != 5;
}

int main(int argc, char **argv)
{
	struct fd_state state[2];
	char data[PG], second[4096];
	struct stat one, two;
	pid_t child;

	test_init(argc, argv);

	if (ssprintf(second, "%s.test.second", filename))
		return 1;
	fd = file_create(filename, O_RDWR, 0644);
	pattern_fill(data, PG, 1);
	if (fd < 0 || write(fd, data, PG) != (ssize_t)PG || link(filename, second))
		return pr_perror("create %s", filename);
	linked = open(second, O_RDWR);
	if (linked < 0 || unlink(filename) || unlink(second) || lseek(fd, 100, SEEK_SET) != 100)
		return pr_perror("unlink");
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || fd_state_get(fd, &state[0]) || fd_state_get(linked, &state[1]))
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state[0], FD_NEW_INODE) || fd_state_changed(linked, &state[1], FD_NEW_INODE))
		return fail("descriptors changed");
	if (fstat(fd, &one) || fstat(linked, &two) || one.st_ino != two.st_ino || one.st_dev != two.st_dev)
		return fail("the two names became two files");
	if (pread(linked, data, PG, 0) != (ssize_t)PG || pattern_bad(data, PG, 1) >= 0)
		return fail("content changed");
	if (fd_same_offset(fd, linked))
		return fail("separate descriptions became one");
	if (lseek(fd, 4000, SEEK_SET) != 4000 || kid_finish(child))
		return fail("child");
	if (lseek(fd, 0, SEEK_CUR) != 4005 || pread(linked, data, 5, 4000) != 5 || memcmp(data, "child", 5))
		return fail("the child has another description or file");
	if (!access(filename, F_OK) || !access(second, F_OK))
		return fail("a deleted name came back");

	pass();
	return 0;
}
