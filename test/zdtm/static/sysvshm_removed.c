#include "zdtmtst.h"
#include "kids.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc =
	"A segment marked for removal, attached twice by a parent and inherited by its child: one object";

#define SIZE (4 * PG)

static char *one, *two;

static int check(void *arg)
{
	(void)arg;
	if (pattern_bad(one, SIZE, 2) >= 0 || pattern_bad(two, SIZE, 2) >= 0)
		return fail("the child does not see what the parent wrote");
	pattern_fill(two, SIZE, 3);
	return 0;
}

int main(int argc, char **argv)
{
	struct shmid_ds before;
	pid_t kid;
	int id;

	test_init(argc, argv);

	id = segment_removed(SIZE, &one);
	if (id < 0)
		return 1;
	two = shmat(id, NULL, 0);
	if (two == NO_SEGMENT)
		return pr_perror("shmat");
	pattern_fill(one, SIZE, 1);
	kid = kid_start(NULL, check, NULL);
	if (kid < 0 || shmctl(id, IPC_STAT, &before))
		return pr_perror("set up");
	if (before.shm_nattch != 4)
		return pr_err("%lu attachments\n", before.shm_nattch);

	test_daemon();
	test_waitsig();

	if (segment_changed(id, &before))
		return fail("the segment has changed");
	if (pattern_bad(two, SIZE, 1) >= 0)
		return fail("content changed");
	pattern_fill(one, SIZE, 2);
	if (kid_finish(kid))
		return fail("child");
	if (pattern_bad(one, SIZE, 3) >= 0)
		return fail("the child's write is not seen");
	if (shmdt(one) || shmdt(two) || !shmctl(id, IPC_STAT, &before))
		return fail("the segment does not go with its last attachment");

	pass();
	return 0;
}
