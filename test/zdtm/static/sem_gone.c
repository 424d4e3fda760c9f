#include "zdtmtst.h"
#include "kids.h"
#include "semprop.h"

const char *test_doc = "Semaphore sets that are gone by the time of the restore are made again, with the adjustments "
		       "(SEM_UNDO) of their tasks; see the hook";

#define KEY 0x5a530001

enum { KEYED, NAMELESS, SETS };

static int sets[SETS];

static int adjust(void *)
{
	return sem_op1(sets[KEYED], 1, -2, SEM_UNDO) || sem_op1(sets[NAMELESS], 0, 4, SEM_UNDO) ? pr_perror("semop")
												: 0;
}

static int values_differ(void *)
{
	return sem_differs(sets[KEYED], 0, 7) || sem_differs(sets[KEYED], 1, 1) || sem_differs(sets[KEYED], 2, 0) ||
	       sem_differs(sets[NAMELESS], 0, 4);
}

int main(int argc, char **argv)
{
	struct semid_ds before[SETS];
	pid_t kid;

	test_init(argc, argv);

	sets[KEYED] = semget(KEY, 3, IPC_CREAT | IPC_EXCL | 0640);
	sets[NAMELESS] = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	if (sets[KEYED] < 0 || sets[NAMELESS] < 0 || sem_op1(sets[KEYED], 0, 7, 0) || semctl(sets[KEYED], 1, SETVAL, 3))
		return pr_perror("semget");
	kid = kid_start(adjust, values_differ, NULL);
	if (kid < 0)
		return 1;
	for (int i = 0; i < SETS; i++)
		if (semctl(sets[i], 0, IPC_STAT, (union semun){ .ds = &before[i] }))
			return pr_perror("IPC_STAT");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < SETS; i++)
		if (set_changed(sets[i], &before[i]))
			return fail("a set has changed");
	if (values_differ(NULL))
		return fail("values");
	if (semctl(sets[KEYED], 0, GETPID) != getpid() || semctl(sets[KEYED], 1, GETPID) != kid ||
	    semctl(sets[NAMELESS], 0, GETPID) != kid)
		return fail("last operators");
	if (semget(KEY, 3, 0) != sets[KEYED])
		return fail("key");
	if (kid_finish(kid) || sem_differs(sets[KEYED], 1, 3) || sem_differs(sets[NAMELESS], 0, 0))
		return fail("the end of the child");
	if (semctl(sets[KEYED], 0, IPC_RMID) || semctl(sets[NAMELESS], 0, IPC_RMID))
		return fail("remove");

	pass();
	return 0;
}
