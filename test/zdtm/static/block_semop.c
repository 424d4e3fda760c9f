#include "blocked.h"
#include "semprop.h"

const char *test_doc = "A task that waits for a semaphore goes on waiting, and gets it when somebody else gives it";

#define KEY 0x5a530002

static int set;

static int make(void)
{
	set = semget(KEY, 1, IPC_CREAT | IPC_EXCL | 0600);
	return set < 0;
}

static long call(void)
{
	return sem_op1(set, 0, -2, SEM_UNDO);
}

/* It is in the queue of the semaphore, and with the whole operation. */
static int wake(pid_t child)
{
	set = semget(KEY, 1, 0);
	if (set < 0 || semctl(set, 0, GETNCNT) != 1 || semctl(set, 0, GETVAL))
		return fail("nobody waits");
	if (sem_op1(set, 0, 1, 0) || task_wait_state(child, 'S') || sem_differs(set, 0, 1))
		return fail("one of two is not enough");
	return sem_op1(set, 0, 1, 0) ? pr_perror("semop") : 0;
}

static int check(void)
{
	return sem_differs(set, 0, 0) || semctl(set, 0, IPC_RMID);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = make,
		.call = call,
		.wake = wake,
		.check = check,
	};

	return blocked_main(argc, argv, &test);
}
