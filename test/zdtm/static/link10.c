#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"
#include "kids.h"

#ifdef LINK_REMAP_REFUSED
const char *test_doc = "An open file whose path is deleted but which has another name is refused without --link-remap";
#else
const char *test_doc = "With --link-remap a file whose path is deleted but which has another name stays the same inode";
#endif

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define SIZE (4 * PG)

static char *map;
static int fd;

static int child_check(void *arg)
{
	(void)arg;
	if (map_is_fd(map, fd) != 1 || pattern_bad(map + PG, PG, 2) >= 0)
		return fail("child: another object");
	pattern_fill(map + 2 * PG, PG, 3);
	return 0;
}

int main(int argc, char **argv)
{
	char gone[4096], kept[4096], page[PG];
	struct fd_state state;
	static char before[4096];
	struct stat st;
	pid_t child;

	test_init(argc, argv);

	if (ssprintf(gone, "%s/gone", dirname) || ssprintf(kept, "%s/kept", dirname) || mkdir(dirname, 0777))
		return pr_perror("mkdir %s", dirname);
	fd = file_create(gone, O_RDWR, 0600);
	if (fd < 0 || ftruncate(fd, SIZE))
		return pr_perror("create %s", gone);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || link(gone, kept) || unlink(gone))
		return pr_perror("link");
	pattern_fill(map, SIZE, 1);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || lseek(fd, 123, SEEK_SET) != 123 || fd_state_get(fd, &state) ||
	    map_text(map, SIZE, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	/* The other name keeps the very inode alive, so nothing of it may change. */
	if (fd_state_changed(fd, &state, FD_SAME_INODE))
		return fail("descriptor changed");
	if (map_text_changed(map, SIZE, MAP_TEXT_INODES, before) || map_is_fd(map, fd) != 1)
		return fail("mapping changed");
	if (stat(kept, &st) || st.st_ino != state.st.st_ino || st.st_nlink != 1)
		return fail("the other name has %lu links", st.st_nlink);
	if (pattern_bad(map, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(map + PG, PG, 2);
	if (kid_finish(child) || pattern_bad(map + 2 * PG, PG, 3) >= 0)
		return fail("child");
	if (pread(fd, page, PG, PG) != (ssize_t)PG || pattern_bad(page, PG, 2) >= 0)
		return fail("mapping and file are different");
	if (unlink(kept) || dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
