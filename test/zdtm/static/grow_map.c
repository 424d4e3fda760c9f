#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "A grows-down mapping keeps its content and still grows after restore";

/* The kernel keeps a guard distance of 256 pages below a stack. */
#define ROOM (1024 * PG)
#define HAVE 8

static char before[4096];

int main(int argc, char **argv)
{
	char *room, *start;
	int i;

	test_init(argc, argv);

	room = mmap(NULL, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || munmap(room, ROOM))
		return pr_perror("mmap");
	start = mmap(room + ROOM - HAVE * PG, HAVE * PG, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	if (start == MAP_FAILED)
		return pr_perror("mmap grows-down");
	for (i = 0; i < HAVE; i++)
		pattern_fill(start + i * PG, PG, i);
	/* Grown once before the dump, so that the mapping is not what was asked for. */
	for (i = 1; i <= 3; i++)
		pattern_fill(start - i * PG, PG, 100 + i);
	if (map_has_flag(start, "gd") != 1)
		return pr_err("the mapping does not grow down\n");
	if (map_text(room, ROOM, MAP_TEXT_INODES, before, sizeof(before)))
		return 1;

	test_daemon();
	test_waitsig();

	if (map_text_changed(room, ROOM, MAP_TEXT_INODES, before))
		return fail("mapping changed");
	if (map_has_flag(start, "gd") != 1)
		return fail("the mapping does not grow down any more");
	for (i = 0; i < HAVE; i++)
		if (pattern_bad(start + i * PG, PG, i) >= 0)
			return fail("page %d changed", i);
	for (i = 1; i <= 3; i++)
		if (pattern_bad(start - i * PG, PG, 100 + i) >= 0)
			return fail("grown page %d changed", i);

	/* Dies here when it does not grow. */
	for (i = 4; i < 32; i++)
		pattern_fill(start - i * PG, PG, 200 + i);
	for (i = 4; i < 32; i++)
		if (pattern_bad(start - i * PG, PG, 200 + i) >= 0)
			return fail("newly grown page %d is wrong", i);

	pass();
	return 0;
}
