#include <sys/mman.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "mlock and mlock2(MLOCK_ONFAULT) marks, with content and residency";

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

#define PAGES 16

/* Number of resident pages, -1 on error. */
static int resident(char *at)
{
	unsigned char vec[PAGES];
	int i, count = 0;

	if (mincore(at, PAGES * PG, vec)) {
		pr_perror("mincore");
		return -1;
	}
	for (i = 0; i < PAGES; i++)
		count += vec[i] & 1;
	return count;
}

int main(int argc, char **argv)
{
	char *area, *locked, *onfault, *plain, *middle;
	int i;

	test_init(argc, argv);

	area = mmap(NULL, 10 * PAGES * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");
	locked = area + PAGES * PG;
	onfault = area + 3 * PAGES * PG;
	plain = area + 5 * PAGES * PG;
	middle = area + 7 * PAGES * PG;
	if (mprotect(locked, PAGES * PG, PROT_READ | PROT_WRITE) ||
	    mprotect(onfault, PAGES * PG, PROT_READ | PROT_WRITE) ||
	    mprotect(plain, PAGES * PG, PROT_READ | PROT_WRITE) || mprotect(middle, PAGES * PG, PROT_READ | PROT_WRITE))
		return pr_perror("mprotect");
	if (mlock(locked, PAGES * PG))
		return pr_perror("mlock");
	if (syscall(SYS_mlock2, onfault, PAGES * PG, MLOCK_ONFAULT))
		return pr_perror("mlock2");
	/* Part of what is one mapping otherwise. */
	if (mlock(middle + 4 * PG, 2 * PG))
		return pr_perror("mlock part");
	for (i = 0; i < 4; i++) {
		pattern_fill(locked + i * PG, PG, i);
		pattern_fill(onfault + i * PG, PG, 10 + i);
		pattern_fill(plain + i * PG, PG, 20 + i);
		pattern_fill(middle + (2 + i) * PG, PG, 30 + i);
	}
	if (map_has_flag(locked, "lo") != 1 || map_has_flag(onfault, "lo") != 1 || map_has_flag(plain, "lo"))
		return pr_err("locks are not as expected before the dump\n");

	test_daemon();
	test_waitsig();

	if (map_has_flag(locked, "lo") != 1 || map_has_flag(locked + (PAGES - 1) * PG, "lo") != 1)
		return fail("mlock is lost");
	if (map_has_flag(onfault, "lo") != 1)
		return fail("mlock2 is lost");
	if (map_has_flag(plain, "lo"))
		return fail("a mapping became locked");
	if (map_has_flag(middle, "lo") || map_has_flag(middle + 4 * PG, "lo") != 1 ||
	    map_has_flag(middle + 5 * PG, "lo") != 1 || map_has_flag(middle + 6 * PG, "lo"))
		return fail("partial lock moved");
	if (resident(locked) != PAGES)
		return fail("%d of %d locked pages are resident", resident(locked), PAGES);
	if (resident(onfault) != 4)
		return fail("%d pages of the lock-on-fault mapping are resident, 4 were", resident(onfault));
	for (i = 0; i < 4; i++)
		if (pattern_bad(locked + i * PG, PG, i) >= 0 || pattern_bad(onfault + i * PG, PG, 10 + i) >= 0 ||
		    pattern_bad(plain + i * PG, PG, 20 + i) >= 0 || pattern_bad(middle + (2 + i) * PG, PG, 30 + i) >= 0)
			return fail("page %d changed", i);
	if (nonzero_at(locked + 4 * PG, (PAGES - 4) * PG) >= 0)
		return fail("untouched locked pages are not zero");

	pass();
	return 0;
}
