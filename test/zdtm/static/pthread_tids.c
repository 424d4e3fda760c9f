#include <pthread.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Threads keep their tids and their thread-local data";
const char *test_author = "The criu team";

#define NR_THREADS 16

static futex_t ready, go;
static pid_t tids[NR_THREADS];
static __thread long local;

static void *thread(void *arg)
{
	long n = (long)arg;

	local = n * 1000;
	tids[n] = gettid();
	futex_inc_and_wake(&ready);
	futex_wait_while(&go, 0);

	if (gettid() != tids[n])
		return (void *)(long)fail("thread %ld: tid %d was %d", n, gettid(), tids[n]);
	if (local != n * 1000)
		return (void *)(long)fail("thread %ld: thread-local data is %ld", n, local);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_THREADS];
	pid_t pid;
	void *bad, *any = NULL;
	long i;

	test_init(argc, argv);
	pid = getpid();
	for (i = 0; i < NR_THREADS; i++) {
		errno = pthread_create(&threads[i], NULL, thread, (void *)i);
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&ready, NR_THREADS);

	test_daemon();
	test_waitsig();

	futex_set_and_wake(&go, 1);
	for (i = 0; i < NR_THREADS; i++) {
		if (pthread_join(threads[i], &bad))
			return fail("pthread_join");
		if (bad)
			any = bad;
	}
	if (gettid() != pid)
		return fail("the leader is %d, it was %d", gettid(), pid);
	if (!any)
		pass();
	return !!any;
}
