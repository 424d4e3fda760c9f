#include <sys/syscall.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "The program break keeps its exact place, also between two pages, and still moves";

static long set_brk(unsigned long to)
{
	return syscall(SYS_brk, to);
}

int main(int argc, char **argv)
{
	static struct map_line before, after;
	unsigned long start, brk;
	char *heap;

	test_init(argc, argv);

	/*
	 * The C library keeps its own idea of the break. Its first allocation,
	 * the buffer of this file, takes more than all that follow need, so it
	 * does not move the break again.
	 */
	if (map_find(&brk, &before))
		return pr_err("no stack\n");
	start = set_brk(0);
	brk = start + 5 * PG + 1234 - start % PG;
	if (set_brk(brk) != (long)brk)
		return pr_perror("brk %#lx", brk);
	heap = (char *)(brk - 4 * PG);
	pattern_fill(heap, 4 * PG, 7);
	if (map_find(heap, &before))
		return pr_err("no heap\n");

	test_daemon();
	test_waitsig();

	if ((unsigned long)set_brk(0) != brk)
		return fail("break is %#lx, was %#lx", set_brk(0), brk);
	if (map_find(heap, &after) || before.start != after.start || before.end != after.end ||
	    strcmp(before.perms, after.perms) || strcmp(before.path, after.path) || strcmp(after.path, "[heap]"))
		return fail("heap is %lx-%lx %s, was %lx-%lx %s", after.start, after.end, after.path, before.start,
			    before.end, before.path);
	if (pattern_bad(heap, 4 * PG, 7) >= 0)
		return fail("heap content changed");
	if ((unsigned long)set_brk(brk + 3 * PG) != brk + 3 * PG)
		return fail("the break cannot be raised");
	/* From the end of the old last page on everything is new memory. */
	if (nonzero_at((char *)((brk + PG - 1) & ~(PG - 1)), 2 * PG) >= 0)
		return fail("new heap is not zero");
	pattern_fill((char *)brk, 3 * PG, 8);
	if ((unsigned long)set_brk(brk) != brk)
		return fail("the break cannot be lowered");

	pass();
	return 0;
}
