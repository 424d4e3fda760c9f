#include <pthread.h>
#include <sched.h>

#include "zdtmtst.h"
#include "semprop.h"

const char *test_doc = "A thread with an adjustment (SEM_UNDO) that its process does not share: refused, and it still "
		       "has it";

static int set, ready;
static volatile int leave;

static void *hold(void *)
{
	ready = unshare(CLONE_SYSVSEM) || sem_op1(set, 0, -1, SEM_UNDO) ? -1 : 1;
	while (!leave)
		usleep(1000);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	test_init(argc, argv);

	set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	if (set < 0 || semctl(set, 0, SETVAL, 1) || pthread_create(&thread, NULL, hold, NULL))
		return pr_perror("semget");
	while (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
		usleep(1000);
	if (ready < 0)
		return pr_perror("semop");

	test_daemon();
	test_waitsig();

	if (sem_differs(set, 0, 0))
		return fail("changed");
	leave = 1;
	pthread_join(thread, NULL);
	if (sem_await(set, 0, 1) || semctl(set, 0, IPC_RMID))
		return fail("its end changed nothing");

	pass();
	return 0;
}
