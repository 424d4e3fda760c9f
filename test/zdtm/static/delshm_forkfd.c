#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "Descriptors of a deleted shared file: one description shared by fork, one of the child's own";

#define SIZE (4 * PG)

static int fd, own;
static char *map;

static int child_prepare(void *arg)
{
	(void)arg;
	own = open(delshm_path("fork"), O_RDWR);
	return own < 0 || lseek(own, 50, SEEK_SET) != 50;
}

static int child_check(void *arg)
{
	(void)arg;
	if (lseek(fd, 0, SEEK_CUR) != 200)
		return fail("child: inherited position is %ld, the parent moved it to 200", lseek(fd, 0, SEEK_CUR));
	if (lseek(own, 0, SEEK_CUR) != 50)
		return fail("child: own position is %ld", lseek(own, 0, SEEK_CUR));
	if (map_is_fd(map, fd) != 1 || map_is_fd(map, own) != 1)
		return fail("child: descriptors and mapping are different objects");
	if (pwrite(own, "child", 5, PG) != 5)
		return fail("child: write");
	return lseek(fd, 300, SEEK_SET) != 300;
}

int main(int argc, char **argv)
{
	struct fd_state state;
	pid_t child;

	test_init(argc, argv);

	map = delshm_start("fork", SIZE, &fd);
	if (!map || lseek(fd, 100, SEEK_SET) != 100)
		return 1;
	pattern_fill(map, SIZE, 1);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0 || delshm_unlink("fork") || fd_state_get(fd, &state))
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_NEW_INODE) || map_is_fd(map, fd) != 1 || pattern_bad(map, SIZE, 1) >= 0)
		return fail("the parent's object changed");
	if (lseek(fd, 200, SEEK_SET) != 200)
		return fail("lseek");
	if (kid_finish(child))
		return fail("child");
	if (lseek(fd, 0, SEEK_CUR) != 300)
		return fail("the position is not shared: %ld", lseek(fd, 0, SEEK_CUR));
	if (memcmp(map + PG, "child", 5))
		return fail("the child's write is not seen");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
