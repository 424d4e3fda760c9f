#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Transparent huge pages: content of full, partly written and split ones";

#define HUGE  (2UL << 20)
#define NR    6
#define WRITE 37 /* every so many pages of the sparsely written ones */

int main(int argc, char **argv)
{
	char *raw, *area;
	size_t at;

	test_init(argc, argv);

	raw = mmap(NULL, (NR + 1) * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (raw == MAP_FAILED)
		return pr_perror("mmap");
	area = (char *)(((unsigned long)raw + HUGE - 1) & ~(HUGE - 1));
	if (madvise(area, NR * HUGE, MADV_HUGEPAGE))
		return pr_perror("MADV_HUGEPAGE");
	/* 0 and 1 full, 2 sparse, 3 untouched, 4 split by a discard, 5 split by a protection. */
	pattern_fill(area, 2 * HUGE, 1);
	for (at = 0; at < HUGE; at += WRITE * PG)
		pattern_fill(area + 2 * HUGE + at, PG, at);
	pattern_fill(area + 4 * HUGE, HUGE, 4);
	pattern_fill(area + 5 * HUGE, HUGE, 5);
	if (madvise(area + 4 * HUGE + 100 * PG, 50 * PG, MADV_DONTNEED))
		return pr_perror("MADV_DONTNEED");
	if (mprotect(area + 5 * HUGE + 10 * PG, 20 * PG, PROT_READ))
		return pr_perror("mprotect");
	test_msg("AnonHugePages before: %ld KiB\n", map_smaps_kib(raw, (NR + 1) * HUGE, "AnonHugePages"));

	test_daemon();
	test_waitsig();

	if (map_has_flag(area, "hg") != 1)
		return fail("MADV_HUGEPAGE is lost");
	if (pattern_bad(area, 2 * HUGE, 1) >= 0)
		return fail("full huge pages changed at %#lx", pattern_bad(area, 2 * HUGE, 1));
	for (at = 0; at < HUGE; at += PG) {
		char *page = area + 2 * HUGE + at;

		if (at % (WRITE * PG) ? nonzero_at(page, PG) >= 0 : pattern_bad(page, PG, at) >= 0)
			return fail("sparse huge page changed at %#lx", at);
	}
	if (nonzero_at(area + 3 * HUGE, HUGE) >= 0)
		return fail("untouched huge page is not zero");
	if (nonzero_at(area + 4 * HUGE + 100 * PG, 50 * PG) >= 0)
		return fail("discarded pages came back");
	for (at = 0; at < HUGE; at += 8) {
		uint64_t word = pattern_word(at / 8, 4);

		if (at >= 100 * PG && at < 150 * PG)
			continue;
		if (memcmp(area + 4 * HUGE + at, &word, sizeof(word)))
			return fail("split huge page changed at %#lx", at);
	}
	if (map_has_flag(area + 5 * HUGE + 10 * PG, "wr") || map_has_flag(area + 5 * HUGE + 30 * PG, "wr") != 1)
		return fail("the partly protected huge page has other protections");
	if (pattern_bad(area + 5 * HUGE, HUGE, 5) >= 0)
		return fail("partly protected huge page changed");

	pass();
	return 0;
}
