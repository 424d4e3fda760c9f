#include <sys/mman.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "Attachments of which parts were unmapped, moved and protected";

#define PAGES 16

static int check_pages(const char *mem, int from, int to)
{
	for (int i = from; i < to; i++)
		if (pattern_bad(mem + (i - from) * PG, PG, i) >= 0)
			return fail("page %d changed", i);
	return 0;
}

int main(int argc, char **argv)
{
	struct shmid_ds before, after;
	char *split, *gaps, *moved;
	int id;

	test_init(argc, argv);

	id = segment_removed(PAGES * PG, &split);
	if (id < 0)
		return 1;
	for (int i = 0; i < PAGES; i++)
		pattern_fill(split + i * PG, PG, i);
	gaps = shmat(id, NULL, 0);
	moved = shmat(id, NULL, 0);
	if (gaps == NO_SEGMENT || moved == NO_SEGMENT)
		return pr_perror("shmat");
	/* Whole, but in three pieces. */
	if (mprotect(split + 4 * PG, 2 * PG, PROT_READ))
		return pr_perror("mprotect");
	/* Pages 2 to 4 and 8 to 11 are left, and something else lies where the first was. */
	if (munmap(gaps, 2 * PG) || munmap(gaps + 5 * PG, 3 * PG) || munmap(gaps + 12 * PG, 4 * PG))
		return pr_perror("munmap");
	if (mmap(gaps, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != gaps)
		return pr_perror("mmap");
	/* Pages 6 and 7 have a place of their own. */
	moved = mremap(moved + 6 * PG, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, gaps - 64 * PG);
	if (moved == MAP_FAILED || munmap(moved, PG))
		return pr_perror("mremap");
	if (shmctl(id, IPC_STAT, &before))
		return pr_perror("IPC_STAT");

	test_daemon();
	test_waitsig();

	if (segment_changed(id, &before))
		return fail("the segment has changed");
	if (check_pages(split, 0, PAGES) || check_pages(gaps + 2 * PG, 2, 5) || check_pages(gaps + 8 * PG, 8, 12) ||
	    check_pages(moved + PG, 7, 8))
		return 1;
	pattern_fill(moved + PG, PG, 100);
	pattern_fill(gaps + 3 * PG, PG, 101);
	if (pattern_bad(split + 7 * PG, PG, 100) >= 0 || pattern_bad(split + 3 * PG, PG, 101) >= 0)
		return fail("not one object");
	/* All pieces of one attachment go together. */
	if (shmdt(split) || msync(split + 4 * PG, PG, MS_ASYNC) != -1 || msync(split + 8 * PG, PG, MS_ASYNC) != -1)
		return fail("detach what is in three pieces");
	if (shmctl(id, IPC_STAT, &after) || after.shm_nattch != before.shm_nattch - 3)
		return fail("attached %lu times, was %lu", after.shm_nattch, before.shm_nattch);

	pass();
	return 0;
}
