#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc =
	"One shared anonymous object mapped twice, in partial windows, after mremap, differently by a child";

#define PAGES 32

static char *whole, *twice, *window, *moved;

static int child_prepare(void *arg)
{
	(void)arg;
	/* The child keeps a window only, and of that the first page is read-only. */
	if (munmap(whole, 8 * PG) || munmap(whole + 16 * PG, 8 * PG) || munmap(twice, PAGES * PG) ||
	    mprotect(whole + 8 * PG, PG, PROT_READ))
		return pr_perror("munmap");
	return 0;
}

static int child_check(void *arg)
{
	unsigned char vec;
	int i;

	(void)arg;
	if (!mincore(whole, PG, &vec) || !mincore(twice, PG, &vec))
		return fail("unmapped parts came back");
	for (i = 9; i < 16; i++)
		if (pattern_bad(whole + i * PG, PG, 100 + i) >= 0)
			return fail("child: page %d is not what the parent wrote", i);
	pattern_fill(whole + 10 * PG, PG, 777);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[3][4096];
	pid_t child;
	int i;

	test_init(argc, argv);

	whole = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (whole == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i++)
		if (i % 4)
			pattern_fill(whole + i * PG, PG, i);
	/* An old size of 0 asks for a second mapping of the same object. */
	twice = mremap(whole, 0, PAGES * PG, MREMAP_MAYMOVE);
	window = mremap(whole + 4 * PG, 0, 4 * PG, MREMAP_MAYMOVE);
	if (twice == MAP_FAILED || window == MAP_FAILED)
		return pr_perror("mremap");
	/* The last eight pages move away, leaving a gap. */
	moved = mmap(NULL, 8 * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (moved == MAP_FAILED ||
	    mremap(whole + 24 * PG, 8 * PG, 8 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, moved) != moved)
		return pr_perror("mremap");
	if (map_is_map(whole, twice) != 1 || map_is_map(whole, window) != 1 || map_is_map(whole, moved) != 1)
		return pr_err("these are not one object\n");
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;
	if (map_text(whole, 24 * PG, MAP_TEXT_PATHS, before[0], sizeof(before[0])) ||
	    map_text(window, 4 * PG, MAP_TEXT_PATHS, before[1], sizeof(before[1])) ||
	    map_text(moved, 8 * PG, MAP_TEXT_PATHS, before[2], sizeof(before[2])))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(whole, 24 * PG, MAP_TEXT_PATHS, before[0]) ||
	    map_text_changed(window, 4 * PG, MAP_TEXT_PATHS, before[1]) ||
	    map_text_changed(moved, 8 * PG, MAP_TEXT_PATHS, before[2]))
		return fail("mappings changed");
	if (map_is_map(whole, twice) != 1 || map_is_map(whole, window) != 1 || map_is_map(whole, moved) != 1)
		return fail("the mappings are of different objects");
	for (i = 0; i < PAGES; i++)
		if (i % 4 ? pattern_bad(twice + i * PG, PG, i) >= 0 : nonzero_at(twice + i * PG, PG) >= 0)
			return fail("page %d changed", i);

	/* What is written through one must be seen in all that show that page. */
	for (i = 0; i < PAGES; i++)
		pattern_fill(twice + i * PG, PG, 100 + i);
	for (i = 0; i < 24; i++)
		if (pattern_bad(whole + i * PG, PG, 100 + i) >= 0)
			return fail("first mapping does not show page %d", i);
	for (i = 0; i < 4; i++)
		if (pattern_bad(window + i * PG, PG, 104 + i) >= 0)
			return fail("window does not show page %d", 4 + i);
	for (i = 0; i < 8; i++)
		if (pattern_bad(moved + i * PG, PG, 124 + i) >= 0)
			return fail("moved part does not show page %d", 24 + i);
	if (kid_finish(child))
		return fail("child");
	if (pattern_bad(twice + 10 * PG, PG, 777) >= 0)
		return fail("the child's write is not seen");

	pass();
	return 0;
}
