#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/futex.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Priority-inheriting mutex: a thread and a child wait for it; the owner can still hand it on";
const char *test_author = "The criu team";

struct shared {
	pthread_mutex_t mutex;
	int turns, order[2];
};

static struct shared *shared;
static futex_t tid;

static int take(int who)
{
	errno = pthread_mutex_lock(&shared->mutex);
	if (errno)
		return pr_perror("pthread_mutex_lock of waiter %d", who);
	shared->order[shared->turns++] = who;
	errno = pthread_mutex_unlock(&shared->mutex);
	return errno ? pr_perror("pthread_mutex_unlock of waiter %d", who) : 0;
}

static void *thread(void *arg)
{
	(void)arg;
	futex_set_and_wake(&tid, gettid());
	return (void *)(long)take(1);
}

static int make_mutex(void)
{
	pthread_mutexattr_t attr;

	shared = shared_alloc(sizeof(*shared));
	if (!shared)
		return -1;
	errno = pthread_mutexattr_init(&attr);
	if (!errno)
		errno = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (!errno)
		errno = pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (!errno)
		errno = pthread_mutex_init(&shared->mutex, &attr);
	if (!errno)
		errno = pthread_mutex_lock(&shared->mutex);
	return errno ? pr_perror("mutex") : 0;
}

int main(int argc, char **argv)
{
	pthread_t id;
	pid_t pid;
	void *bad;

	test_init(argc, argv);
	if (make_mutex())
		return 1;
	pid = fork();
	if (!pid)
		_exit(!!take(2));
	errno = pthread_create(&id, NULL, thread, NULL);
	if (pid < 0 || errno)
		return pr_perror("waiters");
	futex_wait_while(&tid, 0);
	if (task_wait_state(futex_get(&tid), 'S') || task_wait_state(pid, 'S'))
		return 1;

	test_daemon();
	test_waitsig();

	if (shared->turns)
		return fail("a waiter got the mutex");
	errno = pthread_mutex_unlock(&shared->mutex);
	if (errno)
		return pr_perror("pthread_mutex_unlock");
	if (pthread_join(id, &bad) || bad || child_reap(pid))
		return 1;
	if (shared->turns != 2)
		return fail("%d of two got it", shared->turns);
	pass();
	return 0;
}
