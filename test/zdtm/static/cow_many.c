#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "16 MiB shared copy-on-write with 50 children, each with one page of its own";

#define KIDS  50
#define PAGES (16UL << 8)

static char *area;

/* What the children report; mapped shared. */
static struct report {
	long pss[KIDS];
	int measured;
} * report;

static int content_of(unsigned long page, long kid)
{
	return page == (unsigned long)kid * 7 + 3 ? 1000000 + kid : (int)page;
}

static int prepare(void *arg)
{
	long kid = (long)arg;
	unsigned long page = kid * 7 + 3;

	pattern_fill(area + page * PG, PG, content_of(page, kid));
	return 0;
}

static int check(void *arg)
{
	long kid = (long)arg;
	unsigned long i;

	report->pss[kid] = map_smaps_kib(area, PAGES * PG, "Pss");
	__atomic_fetch_add(&report->measured, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < PAGES; i++)
		if (pattern_bad(area + i * PG, PG, content_of(i, kid)) >= 0)
			return fail("child %ld: page %lu changed", kid, i);
	/* Shares are only right while everybody is still there. */
	for (i = 0; i < 2000 && __atomic_load_n(&report->measured, __ATOMIC_SEQ_CST) < KIDS; i++)
		usleep(10000);
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pids[KIDS];
	unsigned long i;
	long kid, sum;
	int bad = 0;

	test_init(argc, argv);

	report = mmap(NULL, PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	area = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED || area == MAP_FAILED || madvise(area, PAGES * PG, MADV_NOHUGEPAGE))
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i++)
		pattern_fill(area + i * PG, PG, i);
	for (kid = 0; kid < KIDS; kid++) {
		pids[kid] = kid_start(prepare, check, (void *)kid);
		if (pids[kid] < 0)
			return 1;
	}

	test_daemon();
	test_waitsig();

	sum = map_smaps_kib(area, PAGES * PG, "Pss");
	for (i = 0; i < PAGES; i++)
		if (pattern_bad(area + i * PG, PG, i) >= 0)
			return fail("parent: page %lu changed", i);
	for (kid = 0; kid < KIDS; kid++)
		kill(pids[kid], SIGTERM);
	for (kid = 0; kid < KIDS; kid++) {
		bad |= kid_wait(pids[kid]);
		sum += report->pss[kid];
	}
	if (bad)
		return fail("children");
	/* One copy, a page each, and the rounding of every share. */
	if (sum > (long)(PAGES * PG / 1024) + KIDS * 4 + KIDS * 4 || sum < (long)(PAGES * PG / 1024) - KIDS * 4)
		return fail("the family uses %ld KiB, one copy is %lu", sum, PAGES * PG / 1024);

	pass();
	return 0;
}
