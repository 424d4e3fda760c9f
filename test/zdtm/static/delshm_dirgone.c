#include "zdtmtst.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "A deleted shared file whose directories are deleted too; they must not come back";

#define SIZE (4 * PG)

static char *map;

static int child_check(void *arg)
{
	(void)arg;
	if (pattern_bad(map + PG, PG, 2) >= 0)
		return fail("child: not the parent's object");
	pattern_fill(map + 2 * PG, PG, 3);
	return 0;
}

int main(int argc, char **argv)
{
	struct stat was, now;
	pid_t child;
	int fd;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	if (mkdir(delshm_path("a"), 0755) || mkdir(delshm_path("a/b"), 0755))
		return pr_perror("mkdir");
	fd = delshm_create("a/b/file", SIZE);
	if (fd < 0)
		return 1;
	map = delshm_map(fd, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!map || delshm_unlink("a/b/file"))
		return 1;
	if (rmdir(delshm_path("a/b")) || rmdir(delshm_path("a")))
		return pr_perror("rmdir");
	pattern_fill(map, SIZE, 1);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || fstat(fd, &was))
		return 1;

	test_daemon();
	test_waitsig();

	if (access(delshm_path("a"), F_OK) == 0)
		return fail("the directory came back");
	if (fstat(fd, &now) || now.st_nlink || now.st_size != was.st_size || now.st_dev != was.st_dev ||
	    map_is_fd(map, fd) != 1)
		return fail("the descriptor is another file");
	if (pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(map + PG, PG, 2);
	if (kid_finish(child) || pattern_bad(map + 2 * PG, PG, 3) >= 0)
		return fail("child");
	if (delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
