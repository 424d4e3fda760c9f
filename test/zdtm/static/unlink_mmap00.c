#include <fcntl.h>
#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"A deleted file mapped MAP_PRIVATE only: changed and unchanged pages, with and without descriptor";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

#define PAGES 8

static char *make(int *ret_fd, int seed)
{
	char page[PG], *map;
	int i;

	*ret_fd = file_create(filename, O_RDWR, 0600);
	for (i = 0; i < PAGES; i++) {
		pattern_fill(page, PG, seed + i);
		if (*ret_fd < 0 || write(*ret_fd, page, PG) != (ssize_t)PG)
			return MAP_FAILED;
	}
	map = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE, *ret_fd, 0);
	if (map == MAP_FAILED || unlink(filename))
		return MAP_FAILED;
	pattern_fill(map + 2 * PG, PG, seed + 1000);
	return map;
}

int main(int argc, char **argv)
{
	static char before[2][4096];
	char *maps[2], page[PG];
	int fd, lost, i, k;

	test_init(argc, argv);

	maps[0] = make(&fd, 100);
	maps[1] = make(&lost, 200);
	if (maps[0] == MAP_FAILED || maps[1] == MAP_FAILED || close(lost))
		return pr_perror("mmap");
	for (k = 0; k < 2; k++)
		if (map_text(maps[k], PAGES * PG, MAP_TEXT_PATHS, before[k], sizeof(before[k])))
			return 1;

	test_daemon();
	test_waitsig();

	for (k = 0; k < 2; k++) {
		if (map_text_changed(maps[k], PAGES * PG, MAP_TEXT_PATHS, before[k]))
			return fail("mapping %d changed", k);
		for (i = 0; i < PAGES; i++)
			if (pattern_bad(maps[k] + i * PG, PG, 100 * (k + 1) + (i == 2 ? 1000 : i)) >= 0)
				return fail("mapping %d: page %d changed", k, i);
	}
	if (map_is_fd(maps[0], fd) != 1 || map_is_map(maps[0], maps[1]))
		return fail("mappings and descriptor do not belong together as before");
	pattern_fill(page, PG, 7);
	if (pwrite(fd, page, PG, 5 * PG) != (ssize_t)PG || pattern_bad(maps[0] + 5 * PG, PG, 7) >= 0)
		return fail("an unchanged page does not follow the file");
	if (pwrite(fd, page, PG, 2 * PG) != (ssize_t)PG || pattern_bad(maps[0] + 2 * PG, PG, 1100) >= 0)
		return fail("a changed page follows the file");
	if (!access(filename, F_OK))
		return fail("the deleted name came back");

	pass();
	return 0;
}
