#include <pthread.h>
#include <sched.h>

#include "zdtmtst.h"
#include "inotify.h"
#include "semprop.h"

const char *test_doc = "Reasons that are seen from outside and reasons that only the task can tell are given at once";

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
	int fd, wd;
	pthread_t thread;

	test_init(argc, argv);

	set = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	if (set < 0 || semctl(set, 0, SETVAL, 1) || pthread_create(&thread, NULL, hold, NULL))
		return pr_perror("semget");
	while (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
		usleep(1000);
	if (ready < 0)
		return pr_perror("semop");
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, "/proc/self/comm", IN_MODIFY);
	if (fd < 0 || wd < 0 || inotify_rm_watch(fd, wd))
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (sem_differs(set, 0, 0) || next_event(fd, wd, IN_IGNORED, "") || no_event(fd))
		return fail("changed");
	leave = 1;
	pthread_join(thread, NULL);
	if (sem_await(set, 0, 1) || semctl(set, 0, IPC_RMID))
		return fail("its end changed nothing");

	pass();
	return 0;
}
