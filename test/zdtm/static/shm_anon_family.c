#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "kids.h"

const char *test_doc = "Shared anonymous memory of a family, sparse: one object, seen by all, holes stay holes";

#define PAGES (64UL << 8)
#define STEP  1024
#define NR    3

static char *area;

/* Every relative answers in its own page, which nobody has touched before. */
static int answer_page(long who)
{
	return 500 + who;
}

static int check_content(void)
{
	unsigned long i;

	for (i = 0; i < PAGES; i += STEP)
		if (pattern_bad(area + i * PG, PG, i) >= 0)
			return fail("page %lu changed", i);
	return 0;
}

static int check(void *arg)
{
	long who = (long)arg;

	if (check_content())
		return 1;
	/* Written by the parent after restore. */
	if (pattern_bad(area + 2 * PG, PG, 4711) >= 0)
		return fail("relative %ld does not see the parent's write", who);
	pattern_fill(area + answer_page(who) * PG, PG, who);
	return 0;
}

int main(int argc, char **argv)
{
	static char before[4096];
	pid_t pids[NR];
	long i, rss;

	test_init(argc, argv);

	area = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < (long)PAGES; i += STEP)
		pattern_fill(area + i * PG, PG, i);
	for (i = 0; i < NR; i++) {
		pids[i] = kid_start(NULL, check, (void *)i);
		if (pids[i] < 0)
			return 1;
	}
	if (map_text(area, PAGES * PG, MAP_TEXT_PATHS, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(area, PAGES * PG, MAP_TEXT_PATHS, before))
		return fail("mapping changed");
	if (check_content())
		return 1;
	rss = map_smaps_kib(area, PAGES * PG, "Rss");
	if (rss > (long)(2 * PAGES / STEP * PG / 1024))
		return fail("the holes were filled: %ld KiB", rss);
	if (nonzero_at(area + 2 * PG, PG) >= 0)
		return fail("a hole is not zero");
	pattern_fill(area + 2 * PG, PG, 4711);
	for (i = 0; i < NR; i++)
		if (kid_finish(pids[i]))
			return fail("relative %ld", i);
	for (i = 0; i < NR; i++)
		if (pattern_bad(area + answer_page(i) * PG, PG, i) >= 0)
			return fail("the write of relative %ld is not seen", i);

	pass();
	return 0;
}
