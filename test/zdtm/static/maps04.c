#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "200 MiB of private memory, page by page, with holes";

#define PAGES (200UL << 8)

/* Whether the page was written; runs of different lengths. */
static int present(unsigned long page)
{
	return page % 97 < 90 && (page / 512) % 5 != 4;
}

int main(int argc, char **argv)
{
	unsigned long i;
	char *area;

	test_init(argc, argv);

	area = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || madvise(area, PAGES * PG, MADV_NOHUGEPAGE))
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i++)
		if (present(i))
			pattern_fill(area + i * PG, PG, i);

	test_daemon();
	test_waitsig();

	for (i = 0; i < PAGES; i++)
		if (present(i) ? pattern_bad(area + i * PG, PG, i) >= 0 : nonzero_at(area + i * PG, PG) >= 0)
			return fail("page %lu changed", i);

	pass();
	return 0;
}
