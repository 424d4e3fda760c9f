#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "Relatives whose memory went apart: each changed, dropped, remapped and moved something else";

#define PAGES 32

static char *area;

/* Both look the same in the beginning; the parent changes its side after the fork. */
static int child_prepare(void *arg)
{
	(void)arg;
	pattern_fill(area + 1 * PG, PG, 201);
	pattern_fill(area + 2 * PG, PG, 202);
	if (madvise(area + 4 * PG, 2 * PG, MADV_DONTNEED) || munmap(area + 8 * PG, 2 * PG) ||
	    mprotect(area + 12 * PG, 2 * PG, PROT_NONE))
		return pr_perror("change");
	return 0;
}

static int check(char *who, int base, int written_at)
{
	int i;

	for (i = 0; i < 4; i++) {
		int own = i == written_at || i == 2;

		if (pattern_bad(area + i * PG, PG, own ? base + i : i) >= 0)
			return fail("%s: page %d", who, i);
	}
	return 0;
}

static int child_check(void *arg)
{
	unsigned char vec;

	(void)arg;
	if (check("child", 200, 1))
		return 1;
	if (nonzero_at(area + 4 * PG, 2 * PG) >= 0)
		return fail("child: dropped pages came back from the parent");
	if (!mincore(area + 8 * PG, PG, &vec))
		return fail("child: unmapped pages came back");
	if (mprotect(area + 12 * PG, 2 * PG, PROT_READ) || pattern_bad(area + 12 * PG, PG, 12) >= 0 ||
	    pattern_bad(area + 13 * PG, PG, 13) >= 0)
		return fail("child: hidden pages");
	/* Moved or dropped by the parent, untouched here. */
	if (pattern_bad(area + 16 * PG, PG, 16) >= 0 || pattern_bad(area + 20 * PG, PG, 20) >= 0)
		return fail("child: pages that only the parent changed");
	return 0;
}

int main(int argc, char **argv)
{
	char *moved;
	pid_t child;
	int i;

	test_init(argc, argv);

	area = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i++)
		pattern_fill(area + i * PG, PG, i);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;
	pattern_fill(area + 3 * PG, PG, 103);
	pattern_fill(area + 2 * PG, PG, 102);
	if (madvise(area + 20 * PG, PG, MADV_DONTNEED))
		return pr_perror("madvise");
	moved = mremap(area + 16 * PG, PG, 3 * PG, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED || moved == area + 16 * PG)
		return pr_perror("mremap");

	test_daemon();
	test_waitsig();

	if (check("parent", 100, 3))
		return 1;
	for (i = 4; i < 14; i++)
		if (pattern_bad(area + i * PG, PG, i) >= 0)
			return fail("parent: page %d changed", i);
	if (pattern_bad(moved, PG, 16) >= 0 || nonzero_at(moved + PG, 2 * PG) >= 0)
		return fail("parent: moved page changed");
	if (nonzero_at(area + 20 * PG, PG) >= 0)
		return fail("parent: dropped page came back");
	if (kid_finish(child))
		return fail("child");

	pass();
	return 0;
}
