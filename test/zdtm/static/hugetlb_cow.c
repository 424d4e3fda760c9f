#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"

const char *test_doc = "Private huge pages of parent and child: those not written since the fork are still shared";

#define NR 5

static char *map;
static long *pss; /* of parent and child, in KiB */

static int child_prepare(void *arg)
{
	(void)arg;
	pattern_fill(map + HUGE, PG, 100);
	/* 3: gone in the child alone. */
	return madvise(map + 3 * HUGE, HUGE, MADV_DONTNEED);
}

/* Whoever has a page for himself has it in Private_Hugetlb. */
static long own(void)
{
	return map_smaps_kib(map, NR * HUGE, "Private_Hugetlb");
}

static int child_check(void *arg)
{
	(void)arg;
	pss[1] = own();
	if (pattern_bad(map, HUGE, 1) >= 0 || pattern_bad(map + HUGE, PG, 100) >= 0 ||
	    pattern_bad(map + HUGE + PG, PG, 3) >= 0 || pattern_bad(map + 2 * HUGE, HUGE, 4) >= 0)
		return fail("the child's content changed");
	if (nonzero_at(map + 3 * HUGE, HUGE) >= 0)
		return fail("the child has a page that it had dropped");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);

	pss = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	map = mmap(NULL, NR * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_2MB, -1,
		   0);
	if (pss == MAP_FAILED || map == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(map, HUGE, 1);
	pattern_fill(map + HUGE, PG, 2);
	pattern_fill(map + HUGE + PG, PG, 3);
	pattern_fill(map + 2 * HUGE, HUGE, 4);
	pattern_fill(map + 3 * HUGE, HUGE, 5);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	pss[0] = own();
	if (pattern_bad(map, HUGE, 1) >= 0 || pattern_bad(map + HUGE, PG, 2) >= 0 ||
	    pattern_bad(map + HUGE + PG, PG, 3) >= 0 || pattern_bad(map + 2 * HUGE, HUGE, 4) >= 0 ||
	    pattern_bad(map + 3 * HUGE, HUGE, 5) >= 0 || nonzero_at(map + 4 * HUGE, HUGE) >= 0)
		return fail("content changed");
	if (kid_finish(child))
		return fail("the child");
	/* 1 and 3 are the parent's alone, 1 in another version the child's; 0 and 2 both have. */
	if (pss[0] != 2 * (long)HUGE / 1024 || pss[1] != (long)HUGE / 1024)
		return fail("pages of its own: parent %ld kB, child %ld kB", pss[0], pss[1]);

	pass();
	return 0;
}
