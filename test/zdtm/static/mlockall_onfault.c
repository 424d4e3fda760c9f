#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "mlockall(MCL_FUTURE | MCL_ONFAULT): new mappings become locked page by page, old ones do not";

int main(int argc, char **argv)
{
	unsigned char present[4];
	char *old, *new;

	test_init(argc, argv);

	old = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (old == MAP_FAILED)
		return pr_perror("mmap");
	pattern_fill(old, PG, 1);
	if (mlockall(MCL_FUTURE | MCL_ONFAULT))
		return pr_perror("mlockall");

	test_daemon();
	test_waitsig();

	if (map_has_flag(old, "lo") || map_has_flag(&test_doc, "lo"))
		return fail("old mappings have become locked");
	if (pattern_bad(old, PG, 1) >= 0 || nonzero_at(old + PG, 3 * PG) >= 0)
		return fail("content changed");
	/* Another protection, so that this cannot be joined with a locked neighbour. */
	new = mmap(NULL, 4 * PG, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (new == MAP_FAILED)
		return fail("mmap");
	/* Older kernels don't show "lf"; but what is locked without waiting for the first access is there at once. */
	if (map_has_flag(new, "lo") != 1)
		return fail("MCL_FUTURE is lost");
	if (mincore(new, 4 * PG, present) || present[0] & 1 || present[3] & 1)
		return fail("MCL_ONFAULT is lost");

	pass();
	return 0;
}
