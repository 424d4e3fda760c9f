#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "kids.h"

const char *test_doc = "Deleted shared files of one name in two directories, on btrfs of one inode number, stay two";

char *dirname;
TEST_OPTION(dirname, string, "directory name; may exist, with subvolumes a and b in it", 1);

#define SIZE (4 * PG)

static char *maps[2];

static int child_check(void *arg)
{
	(void)arg;
	for (int i = 0; i < 2; i++) {
		if (pattern_bad(maps[i] + PG, PG, 20 + i) >= 0)
			return fail("child: file %d is another object", i);
		pattern_fill(maps[i] + 2 * PG, PG, 30 + i);
	}
	return 0;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) && errno != EEXIST ? pr_perror("mkdir %s", path) : 0;
}

int main(int argc, char **argv)
{
	char dirs[2][2048], path[4096];
	struct fd_state states[2];
	int fds[2], i;
	pid_t child;

	test_init(argc, argv);

	if (make_dir(dirname))
		return 1;
	for (i = 0; i < 2; i++) {
		if (ssprintf(dirs[i], "%s/%c", dirname, 'a' + i) || ssprintf(path, "%s/file", dirs[i]) ||
		    make_dir(dirs[i]))
			return 1;
		fds[i] = file_create(path, O_RDWR, 0600);
		if (fds[i] < 0 || ftruncate(fds[i], SIZE))
			return pr_perror("create %s", path);
		maps[i] = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
		if (maps[i] == MAP_FAILED || unlink(path))
			return pr_perror("map and unlink %s", path);
		pattern_fill(maps[i], SIZE, 10 + i);
	}
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || fd_state_get(fds[0], &states[0]) || fd_state_get(fds[1], &states[1]))
		return 1;
	test_msg("inode numbers %lu and %lu\n", states[0].st.st_ino, states[1].st.st_ino);

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++) {
		if (fd_state_changed(fds[i], &states[i], FD_NEW_INODE) || map_is_fd(maps[i], fds[i]) != 1)
			return fail("descriptor %d", i);
		if (pattern_bad(maps[i], SIZE, 10 + i) >= 0)
			return fail("content of file %d changed", i);
	}
	for (i = 0; i < 2; i++)
		pattern_fill(maps[i] + PG, PG, 20 + i);
	if (kid_finish(child))
		return fail("child");
	for (i = 0; i < 2; i++)
		if (pattern_bad(maps[i] + 2 * PG, PG, 30 + i) >= 0 || dir_entries(dirs[i], 1) || rmdir(dirs[i]))
			return fail("file %d", i);
	if (rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
