#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Private anonymous mappings of every protection keep range, protection and content";

#define NR_PROT	   8
#define PAGES_EACH 5
/* A gap follows each mapping so that equal neighbours can never be joined. */
#define STRIDE (PAGES_EACH + 1)
#define AREA   (NR_PROT * STRIDE * PG)

static char before[8192];

int main(int argc, char **argv)
{
	int prot, page;
	char *area;

	test_init(argc, argv);

	area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");

	for (prot = 0; prot < NR_PROT; prot++) {
		char *at = area + prot * STRIDE * PG;

		/* Page 3 stays untouched, and page 4 is touched but all zero. */
		for (page = 0; page < 3; page++)
			pattern_fill(at + page * PG, PG, prot * 16 + page);
		memset(at + 4 * PG, 0, PG);
		if (mprotect(at, PAGES_EACH * PG, prot))
			return pr_perror("mprotect %d", prot);
		if (munmap(at + PAGES_EACH * PG, PG))
			return pr_perror("munmap");
	}
	if (map_text(area, AREA, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(area, AREA, MAP_TEXT_INODES, before))
		return fail("mappings changed");
	for (prot = 0; prot < NR_PROT; prot++) {
		char *at = area + prot * STRIDE * PG;

		/* What is hidden by the protection must be there all the same. */
		if (mprotect(at, PAGES_EACH * PG, PROT_READ | PROT_WRITE))
			return fail("mprotect %d", prot);
		for (page = 0; page < 3; page++)
			if (pattern_bad(at + page * PG, PG, prot * 16 + page) >= 0)
				return fail("protection %d: page %d changed", prot, page);
		if (nonzero_at(at + 3 * PG, 2 * PG) >= 0)
			return fail("protection %d: zero pages are not zero", prot);
	}

	pass();
	return 0;
}
