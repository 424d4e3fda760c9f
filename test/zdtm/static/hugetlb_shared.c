#include "zdtmtst.h"
#include "huge.h"
#include "kids.h"

const char *test_doc = "Shared anonymous memory of huge pages: one object for parent and child, reserved and not";

#define NR 4

static char *reserved, *lazy;

static int child_prepare(void *arg)
{
	(void)arg;
	/* Not all of it, and read-only. */
	return munmap(reserved, HUGE) || mprotect(lazy, NR * HUGE, PROT_READ);
}

static int child_check(void *arg)
{
	(void)arg;
	if (!huge_mapped(reserved + HUGE) || !huge_mapped(lazy))
		return fail("the child's pages are not huge");
	if (pattern_bad(lazy + HUGE, HUGE, 20) >= 0)
		return fail("the child does not see what its parent wrote after the restore");
	pattern_fill(reserved + HUGE, HUGE, 21);
	return 0;
}

static char *make(int flags)
{
	char *map = mmap(NULL, NR * HUGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | HUGE_2MB | flags, -1, 0);

	if (map == MAP_FAILED)
		pr_perror("mmap");
	return map;
}

int main(int argc, char **argv)
{
	static char before[2][4096];
	pid_t child;

	test_init(argc, argv);

	reserved = make(0);
	lazy = make(MAP_NORESERVE);
	if (reserved == MAP_FAILED || lazy == MAP_FAILED)
		return 1;
	pattern_fill(reserved, HUGE, 1);
	pattern_fill(lazy + 3 * HUGE, HUGE, 2);
	child = kid_start(child_prepare, child_check, NULL);
	if (child < 0 || map_text(reserved, NR * HUGE, MAP_TEXT_PATHS, before[0], sizeof(before[0])) ||
	    map_text(lazy, NR * HUGE, MAP_TEXT_PATHS, before[1], sizeof(before[1])))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(reserved, NR * HUGE, MAP_TEXT_PATHS, before[0]) ||
	    map_text_changed(lazy, NR * HUGE, MAP_TEXT_PATHS, before[1]))
		return fail("mappings changed");
	if (map_has_flag(reserved, "nr") != 0 || map_has_flag(lazy, "nr") != 1 || !huge_mapped(lazy))
		return fail("what is reserved changed");
	if (pattern_bad(reserved, HUGE, 1) >= 0 || pattern_bad(lazy + 3 * HUGE, HUGE, 2) >= 0)
		return fail("content changed");
	pattern_fill(lazy + HUGE, HUGE, 20);
	if (kid_finish(child) || pattern_bad(reserved + HUGE, HUGE, 21) >= 0)
		return fail("it is not shared with the child any more");
	if (nonzero_at(reserved + 2 * HUGE, 2 * HUGE) >= 0)
		return fail("a hole is not zero");

	pass();
	return 0;
}
