#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Private file mapping: changed pages are kept, the others still follow the file";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define FILE_PAGES 20
#define MAP_FROM   2
#define MAP_PAGES  16

static char before[4096];

static int page_changed(int i)
{
	return i == 0 || i == 5 || i == 6 || i == MAP_PAGES - 1;
}

int main(int argc, char **argv)
{
	char page[PG], *map;
	int fd, i;

	test_init(argc, argv);

	fd = open(filename, O_RDWR | O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return pr_perror("create %s", filename);
	for (i = 0; i < FILE_PAGES; i++) {
		pattern_fill(page, PG, i);
		if (write(fd, page, PG) != (ssize_t)PG)
			return pr_perror("write");
	}
	map = mmap(NULL, MAP_PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, MAP_FROM * PG);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < MAP_PAGES; i++) {
		if (page_changed(i))
			pattern_fill(map + i * PG, PG, 1000 + i);
		else if (i % 2 && map[i * PG] == 0 && map[i * PG + 1] == 0)
			/* Odd pages are mapped in by this read, even ones are not present. */
			return pr_err("page %d is empty\n", i);
	}
	if (map_text(map, MAP_PAGES * PG, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(map, MAP_PAGES * PG, MAP_TEXT_INODES, before))
		return fail("mapping changed");
	if (map_is_fd(map, fd) != 1)
		return fail("mapping and descriptor are different files");
	for (i = 0; i < MAP_PAGES; i++)
		if (pattern_bad(map + i * PG, PG, page_changed(i) ? 1000 + i : MAP_FROM + i) >= 0)
			return fail("page %d has a wrong content", i);

	/* Pages that were only read are not private yet: a write to the file shows in them. */
	for (i = 0; i < MAP_PAGES; i++) {
		pattern_fill(page, PG, 2000 + i);
		if (pwrite(fd, page, PG, (MAP_FROM + i) * PG) != (ssize_t)PG)
			return fail("pwrite");
	}
	for (i = 0; i < MAP_PAGES; i++)
		if (pattern_bad(map + i * PG, PG, page_changed(i) ? 1000 + i : 2000 + i) >= 0)
			return fail("page %d does not follow as it should", i);

	pass();
	return 0;
}
