#include <pthread.h>

#include "zdtmtst.h"
#include "kids.h"
#include "semprop.h"

const char *test_doc = "A lock held with SEM_UNDO stays held, while a process outside the tree waits for it, and is "
		       "given back when its holder ends after the restore";

enum { LOCK, RAISED, OUTSIDERS, SEMS };

static int set;

/* Takes the lock and shows that it has. */
static void outsider(void *arg)
{
	struct sembuf ops[] = { { LOCK, -1, 0 }, { OUTSIDERS, 1, 0 } };

	while (semop(*(int *)arg, ops, 2) && errno == EINTR)
		;
}

static void *sleep_forever(void *)
{
	while (1)
		pause();
	return NULL;
}

int main(int argc, char **argv)
{
	struct semid_ds before;
	pthread_t thread;
	pid_t kid;

	help_only(argc, argv);
	set = semget(IPC_PRIVATE, SEMS, IPC_CREAT | 0600);
	if (set < 0 || semctl(set, RAISED, SETVAL, 4) || start_outsider(outsider, &set))
		return pr_perror("semget");

	test_init(argc, argv);

	/* So that this process has adjustments, too, but of nothing. */
	if (pthread_create(&thread, NULL, sleep_forever, NULL))
		return pr_perror("thread");
	while (semctl(set, LOCK, GETNCNT) != 1)
		usleep(1000);
	/* Raised and taken at once, or the outsider has it. */
	if (semop(set, (struct sembuf[]){ { LOCK, 1, 0 }, { LOCK, -1, 0 } }, 2))
		return pr_perror("semop");
	semop(set, (struct sembuf[]){ { RAISED, 1, SEM_UNDO }, { RAISED, -1, SEM_UNDO } }, 2);
	if (semctl(set, 0, IPC_STAT, (union semun){ .ds = &before }))
		return pr_perror("IPC_STAT");
	kid = test_fork();
	if (!kid) {
		struct sembuf ops[] = { { LOCK, 1, 0 }, { LOCK, -1, SEM_UNDO } };

		if (semop(set, ops, 2) || sem_op1(set, RAISED, 3, SEM_UNDO))
			_exit(1);
		test_waitsig();
		_exit(sem_differs(set, LOCK, 0));
	}
	if (kid < 0 || sem_await(set, RAISED, 7))
		return 1;

	test_daemon();
	test_waitsig();

	if (sem_differs(set, LOCK, 0) || sem_differs(set, RAISED, 7) || sem_differs(set, OUTSIDERS, 0))
		return fail("semaphores changed");
	if (semctl(set, LOCK, GETNCNT) != 1)
		return fail("the outsider waits no more");
	if (semctl(set, LOCK, GETPID) != kid || semctl(set, RAISED, GETPID) != kid)
		return fail("last operators are %d and %d", semctl(set, LOCK, GETPID), semctl(set, RAISED, GETPID));
	if (set_changed(set, &before))
		return fail("set changed");
	if (kid_finish(kid))
		return fail("child");
	if (sem_await(set, OUTSIDERS, 1) || sem_differs(set, LOCK, 0) || sem_differs(set, RAISED, 4))
		return fail("the end of the holder did not do what it had to");
	if (semctl(set, 0, IPC_RMID))
		return fail("remove");

	pass();
	return 0;
}
