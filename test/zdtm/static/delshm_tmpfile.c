#include "zdtmtst.h"
#include "taskutil.h"
#include "delshm.h"
#include "kids.h"

const char *test_doc = "A shared file made with O_TMPFILE, which never had a name: it can still be given one";

#define SIZE (4 * PG)

static char *map;

static int child_check(void *arg)
{
	(void)arg;
	if (pattern_bad(map + PG, PG, 2) >= 0)
		return fail("child: another object");
	pattern_fill(map + 2 * PG, PG, 3);
	return 0;
}

int main(int argc, char **argv)
{
	struct stat st, named;
	char link_from[64];
	pid_t child;
	int fd;

	test_init(argc, argv);

	if (delshm_init())
		return 1;
	fd = open(delshm_dir, O_TMPFILE | O_RDWR, 0640);
	if (fd < 0 && errno == EOPNOTSUPP) {
		skip("the file system has no O_TMPFILE");
		return skipped_test();
	}
	if (fd < 0 || ftruncate(fd, SIZE))
		return pr_perror("O_TMPFILE");
	map = delshm_map(fd, SIZE, PROT_READ | PROT_WRITE, 0);
	if (!map)
		return 1;
	pattern_fill(map, SIZE, 1);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (fstat(fd, &st) || st.st_nlink || (st.st_mode & 07777) != 0640 || map_is_fd(map, fd) != 1)
		return fail("%lu links, mode %#o", st.st_nlink, st.st_mode);
	if (pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(map + PG, PG, 2);
	if (kid_finish(child) || pattern_bad(map + 2 * PG, PG, 3) >= 0)
		return fail("child");
	if (dir_entries(delshm_dir, 1))
		return fail("it has got a name");
	snprintf(link_from, sizeof(link_from), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, link_from, AT_FDCWD, delshm_path("named"), AT_SYMLINK_FOLLOW))
		return fail("it can't be given a name");
	if (stat(delshm_path("named"), &named) || named.st_ino != st.st_ino || named.st_nlink != 1)
		return fail("the name leads to another file");
	if (delshm_unlink("named") || delshm_fini())
		return fail("something is left behind");

	pass();
	return 0;
}
