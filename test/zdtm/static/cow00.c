#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "64 MiB shared copy-on-write by parent, child and grandchild take the memory of one copy";

#define PAGES (64UL << 8)
/* Pages the child and the grandchild changed. */
#define CHILD_STEP 1000
#define GRAND_STEP 1500

static char *area;
static long *pss; /* [0] parent, [1] child, [2] grandchild */
static pid_t grand;

static int content_of(unsigned long page, int who)
{
	if (who == 2 && page % GRAND_STEP == 2)
		return 3000000 + page;
	if (who >= 1 && page % CHILD_STEP == 1)
		return 2000000 + page;
	return page;
}

static int check_content(int who)
{
	unsigned long i;

	for (i = 0; i < PAGES; i++)
		if (pattern_bad(area + i * PG, PG, content_of(i, who)) >= 0)
			return fail("relative %d: page %lu changed", who, i);
	return 0;
}

static int measure(int who)
{
	pss[who] = map_smaps_kib(area, PAGES * PG, "Pss");
	return pss[who] < 0;
}

static int grand_prepare(void *arg)
{
	unsigned long i;

	(void)arg;
	for (i = 2; i < PAGES; i += GRAND_STEP)
		pattern_fill(area + i * PG, PG, content_of(i, 2));
	return 0;
}

static int grand_check(void *arg)
{
	(void)arg;
	return measure(2) || check_content(2);
}

static int child_prepare(void *arg)
{
	unsigned long i;

	(void)arg;
	for (i = 1; i < PAGES; i += CHILD_STEP)
		pattern_fill(area + i * PG, PG, content_of(i, 1));
	grand = kid_start(grand_prepare, grand_check, NULL);
	return grand < 0;
}

/* The grandchild ends before the other two measure, so each measures while all are there. */
static int child_check(void *arg)
{
	(void)arg;
	return measure(1) || check_content(1) || kid_finish(grand);
}

int main(int argc, char **argv)
{
	long sum, own;
	pid_t child;

	test_init(argc, argv);

	pss = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	area = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pss == MAP_FAILED || area == MAP_FAILED || madvise(area, PAGES * PG, MADV_NOHUGEPAGE))
		return pr_perror("mmap");
	for (own = 0; own < (long)PAGES; own++)
		pattern_fill(area + own * PG, PG, own);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	/* Proportional shares add up to what is really used, as long as nobody has gone yet. */
	if (measure(0))
		return fail("smaps");
	if (check_content(0))
		return 1;
	if (kid_finish(child))
		return fail("child");
	own = (PAGES / CHILD_STEP + PAGES / GRAND_STEP + 2) * PG / 1024;
	sum = pss[0] + pss[1] + pss[2];
	test_msg("Pss: %ld + %ld + %ld KiB\n", pss[0], pss[1], pss[2]);
	if (sum > (long)(PAGES * PG / 1024) + own + 64)
		return fail("the family uses %ld KiB, one copy is %lu and own pages are %ld", sum, PAGES * PG / 1024,
			    own);
	if (sum < (long)(PAGES * PG / 1024) - 64)
		return fail("the measurement is wrong: %ld KiB", sum);

	pass();
	return 0;
}
