#include "zdtmtst.h"
#include "kids.h"
#include "memprop.h"
#include "sysvshm.h"

const char *test_doc = "Segments whose id or key is another's by the time of the restore: refused, nothing is left "
		       "behind; see the hook";

static int check(void *arg)
{
	return pattern_bad(arg, PG, 3) >= 0;
}

int main(int argc, char **argv)
{
	char *removed, *keyed, *nameless;
	struct shmid_ds before[2];
	int ids[2];
	pid_t kid;

	test_init(argc, argv);

	if (segment_removed(PG, &removed) < 0)
		return 1;
	ids[0] = shmget(0x5a440001, PG, IPC_CREAT | IPC_EXCL | 0600);
	ids[1] = shmget(IPC_PRIVATE, PG, IPC_CREAT | IPC_EXCL | 0600);
	keyed = ids[0] < 0 ? NO_SEGMENT : shmat(ids[0], NULL, 0);
	nameless = ids[1] < 0 ? NO_SEGMENT : shmat(ids[1], NULL, 0);
	if (keyed == NO_SEGMENT || nameless == NO_SEGMENT)
		return pr_perror("shmat");
	pattern_fill(removed, PG, 1);
	pattern_fill(keyed, PG, 2);
	pattern_fill(nameless, PG, 3);
	kid = kid_start(NULL, check, nameless);
	if (kid < 0)
		return 1;
	for (int i = 0; i < 2; i++)
		if (shmctl(ids[i], IPC_STAT, &before[i]))
			return pr_perror("IPC_STAT");

	test_daemon();
	test_waitsig();

	if (segment_changed(ids[0], &before[0]) || segment_changed(ids[1], &before[1]))
		return fail("a segment has changed");
	if (pattern_bad(removed, PG, 1) >= 0 || pattern_bad(keyed, PG, 2) >= 0 || pattern_bad(nameless, PG, 3) >= 0)
		return fail("content changed");
	if (kid_finish(kid))
		return fail("child");
	if (shmctl(ids[0], IPC_RMID, NULL) || shmctl(ids[1], IPC_RMID, NULL))
		return fail("remove");

	pass();
	return 0;
}
