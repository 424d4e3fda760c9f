#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "MAP_SHARED of a live file: same inode, coherent with write() and read(), between relatives too";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define PAGES 8

static char *map;
static int fd;

static int child_check(void *arg)
{
	(void)arg;
	if (map_is_fd(map, fd) != 1)
		return fail("child: mapping and descriptor are different files");
	if (pattern_bad(map + PG, PG, 500) >= 0)
		return fail("child does not see what was written with pwrite");
	pattern_fill(map + 2 * PG, PG, 501);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[4096];
	struct stat old, new, by_name;
	char page[PG];
	pid_t child;
	int i;

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || ftruncate(fd, (PAGES + 2) * PG) || fstat(fd, &old))
		return pr_perror("create %s", filename);
	/* A window that starts at page 2 of the file. */
	map = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * PG);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i++)
		pattern_fill(map + i * PG, PG, i);
	child = kid_start(NULL, child_check, NULL);
	if (child < 0)
		return 1;
	if (map_text(map, PAGES * PG, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, PAGES * PG, MAP_TEXT_INODES, before))
		return fail("mapping changed");
	if (fstat(fd, &new) || stat(filename, &by_name) || old.st_ino != new.st_ino || old.st_dev != new.st_dev ||
	    old.st_ino != by_name.st_ino || by_name.st_nlink != 1)
		return fail("this is another file");
	if (map_is_fd(map, fd) != 1)
		return fail("mapping and descriptor are different files");
	for (i = 0; i < PAGES; i++)
		if (pattern_bad(map + i * PG, PG, i) >= 0)
			return fail("page %d changed", i);
	pattern_fill(page, PG, 500);
	if (pwrite(fd, page, PG, 3 * PG) != (ssize_t)PG || pattern_bad(map + PG, PG, 500) >= 0)
		return fail("pwrite is not seen in the mapping");
	if (kid_finish(child))
		return fail("child");
	if (pread(fd, page, PG, 4 * PG) != (ssize_t)PG || pattern_bad(page, PG, 501) >= 0)
		return fail("the child's store is not seen in the file");

	pass();
	return 0;
}
