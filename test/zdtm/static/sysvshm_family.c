#include <sys/mman.h>

#include "zdtmtst.h"
#include "kids.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "Inherited attachments that parent and children have changed since, each in its way";

#define SIZE (8 * PG)

static char *both, *child_only, *parent_only, *parted;
static int id;

static int answers(int page)
{
	pattern_fill(both + page * PG, PG, 10 + page);
	return 0;
}

/* Has let go of one and taken a part out of another. */
static int prepare_first(void *arg)
{
	(void)arg;
	return shmdt(parent_only) || munmap(parted + 2 * PG, 2 * PG);
}

static int check_first(void *arg)
{
	(void)arg;
	if (pattern_bad(both, PG, 9) >= 0 || pattern_bad(child_only, PG, 9) >= 0 || pattern_bad(parted, PG, 9) >= 0)
		return fail("not one object");
	if (msync(parted + 2 * PG, PG, MS_ASYNC) != -1 || msync(parent_only, PG, MS_ASYNC) != -1)
		return fail("there is more than was");
	if (pattern_bad(parted + 6 * PG, PG, 1) >= 0)
		return fail("content changed");
	return answers(1);
}

static int prepare_second(void *arg)
{
	(void)arg;
	return mprotect(parted, PG, PROT_NONE);
}

static int check_second(void *arg)
{
	(void)arg;
	if (pattern_bad(both, PG, 9) >= 0 || pattern_bad(child_only, PG, 9) >= 0 ||
	    pattern_bad(parent_only, PG, 9) >= 0)
		return fail("not one object");
	if (mprotect(parted, PG, PROT_READ) || pattern_bad(parted, PG, 9) >= 0)
		return fail("the protected page");
	return answers(2);
}

int main(int argc, char **argv)
{
	struct shmid_ds before;
	pid_t first, second;

	test_init(argc, argv);

	id = segment_removed(SIZE, &both);
	if (id < 0)
		return 1;
	for (int i = 0; i < 8; i++)
		pattern_fill(both + i * PG, PG, 1);
	child_only = shmat(id, NULL, 0);
	parent_only = shmat(id, NULL, 0);
	parted = shmat(id, NULL, 0);
	if (child_only == NO_SEGMENT || parent_only == NO_SEGMENT || parted == NO_SEGMENT)
		return pr_perror("shmat");
	first = kid_start(prepare_first, check_first, NULL);
	second = kid_start(prepare_second, check_second, NULL);
	if (first < 0 || second < 0)
		return 1;
	/* The parent has less of one than its children. */
	if (shmdt(child_only) || munmap(parted + 4 * PG, PG) || shmctl(id, IPC_STAT, &before))
		return pr_perror("set up");

	test_daemon();
	test_waitsig();

	if (segment_changed(id, &before))
		return fail("the segment has changed");
	pattern_fill(both, PG, 9);
	if (pattern_bad(parent_only, PG, 9) >= 0 || pattern_bad(parted, PG, 9) >= 0)
		return fail("not one object");
	if (kid_finish(first) || kid_finish(second))
		return fail("children");
	if (pattern_bad(parent_only + PG, PG, 11) >= 0 || pattern_bad(parent_only + 2 * PG, PG, 12) >= 0)
		return fail("what the children wrote is not seen");

	pass();
	return 0;
}
