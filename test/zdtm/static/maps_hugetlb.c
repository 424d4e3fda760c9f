#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Private anonymous huge pages (MAP_HUGETLB): content, holes and kind";

#define HUGE (2UL << 20)
#define NR   4

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

static char before[4096];

int main(int argc, char **argv)
{
	char *area;

	test_init(argc, argv);

	area = mmap(NULL, NR * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB,
		    -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap of %d huge pages", NR);
	/* 0 and 3 written, 1 not touched, 2 read-only with content. */
	pattern_fill(area, HUGE, 1);
	pattern_fill(area + 2 * HUGE, HUGE, 2);
	memset(area + 3 * HUGE, 0, HUGE);
	area[4 * HUGE - 1] = 'e';
	if (mprotect(area + 2 * HUGE, HUGE, PROT_READ))
		return pr_perror("mprotect");
	if (map_text(area, NR * HUGE, MAP_TEXT_PATHS, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(area, NR * HUGE, MAP_TEXT_PATHS, before))
		return fail("mappings changed");
	if (map_has_flag(area, "ht") != 1 || map_has_flag(area + 2 * HUGE, "ht") != 1 ||
	    map_smaps_kib(area, NR * HUGE, "KernelPageSize") % 2048)
		return fail("these are no huge pages");
	if (pattern_bad(area, HUGE, 1) >= 0)
		return fail("first huge page changed");
	if (pattern_bad(area + 2 * HUGE, HUGE, 2) >= 0)
		return fail("read-only huge page changed");
	if (nonzero_at(area + HUGE, HUGE) >= 0)
		return fail("untouched huge page is not zero");
	if (nonzero_at(area + 3 * HUGE, HUGE - 1) >= 0 || area[4 * HUGE - 1] != 'e')
		return fail("last huge page changed");

	pass();
	return 0;
}
