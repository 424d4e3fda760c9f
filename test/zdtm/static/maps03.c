#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "A reservation of 1 TiB with few pages in it";

#define SIZE (1UL << 40)

/* Ends, both sides of a page-table boundary, and a place in the middle of nowhere. */
static const unsigned long places[] = { 0, (1UL << 21) - PG, 1UL << 30, (1UL << 39) + 12345 * PG, SIZE - PG };

static char before[4096];

int main(int argc, char **argv)
{
	char *none, *noreserve;
	unsigned int i;

	test_init(argc, argv);

	none = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	noreserve = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (none == MAP_FAILED || noreserve == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (mprotect(none + places[i], PG, PROT_READ | PROT_WRITE))
			return pr_perror("mprotect");
		pattern_fill(none + places[i], PG, i);
		pattern_fill(noreserve + places[i], PG, 10 + i);
	}
	if (map_text(none, SIZE, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(none, SIZE, MAP_TEXT_INODES, before))
		return fail("mappings changed");
	if (map_has_flag(none + PG, "nr") != 1 || map_has_flag(noreserve, "nr") != 1)
		return fail("NORESERVE is lost");
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (pattern_bad(none + places[i], PG, i) >= 0)
			return fail("page %u of the PROT_NONE reservation changed", i);
		if (pattern_bad(noreserve + places[i], PG, 10 + i) >= 0)
			return fail("page %u of the writable reservation changed", i);
	}
	/* A page that was never there does not come alive. */
	if (nonzero_at(noreserve + (1UL << 35), PG) >= 0)
		return fail("untouched page is not zero");
	if (map_smaps_kib(none, SIZE, "Rss") > 64 || map_smaps_kib(noreserve, SIZE, "Rss") > 64)
		return fail("the reservations take %ld and %ld KiB", map_smaps_kib(none, SIZE, "Rss"),
			    map_smaps_kib(noreserve, SIZE, "Rss"));

	pass();
	return 0;
}
