#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc =
	"Shared anonymous memory of which no mapping shows the beginning any more; content outside every window";

#define PAGES 64

int main(int argc, char **argv)
{
	char *a, *b, *again;
	int i;

	test_init(argc, argv);

	a = mmap(NULL, PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a == MAP_FAILED)
		return pr_perror("mmap");
	for (i = 0; i < PAGES; i++)
		pattern_fill(a + i * PG, PG, i);
	b = a + 48 * PG;
	/* Left are pages 16 to 19 and 48 to 55. */
	if (munmap(a, 16 * PG) || munmap(a + 20 * PG, 28 * PG) || munmap(a + 56 * PG, 8 * PG))
		return pr_perror("munmap");
	a += 16 * PG;

	test_daemon();
	test_waitsig();

	if (map_is_map(a, b) != 1)
		return fail("the windows show different objects");
	for (i = 0; i < 4; i++)
		if (pattern_bad(a + i * PG, PG, 16 + i) >= 0)
			return fail("page %d changed", 16 + i);
	for (i = 0; i < 8; i++)
		if (pattern_bad(b + i * PG, PG, 48 + i) >= 0)
			return fail("page %d changed", 48 + i);
	/* A window can be widened: the object is as long as it was, and what no window showed is still in it. */
	again = mremap(a, 0, 36 * PG, MREMAP_MAYMOVE);
	if (again == MAP_FAILED)
		return fail("mremap");
	for (i = 0; i < 36; i++)
		if (pattern_bad(again + i * PG, PG, 16 + i) >= 0)
			return fail("page %d is lost, which no window showed", 16 + i);

	pass();
	return 0;
}
