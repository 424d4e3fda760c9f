#include <pthread.h>

#include "lock.h"
#include "seccomp_rules.h"
#include "taskutil.h"

const char *test_doc = "A filter that one thread has given to all, and can give to all again after restore";
const char *test_author = "The criu team";

#define NR_THREADS 3

static futex_t ready, go;

static void *thread(void *arg)
{
	futex_inc_and_wake(&ready);
	futex_wait_while(&go, 0);
	/* The second one: synchronized after restore. */
	if (seccomp_result(SYS_getppid) != 81 || seccomp_result(SYS_getpgrp) != 82)
		return (void *)(long)fail("thread: errnos %d %d", seccomp_result(SYS_getppid),
					  seccomp_result(SYS_getpgrp));
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t ids[NR_THREADS];
	void *bad;
	int i;

	test_init(argc, argv);
	for (i = 0; i < NR_THREADS; i++) {
		errno = pthread_create(&ids[i], NULL, thread, NULL);
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&ready, NR_THREADS);
	if (seccomp_deny(SYS_getppid, 81, SECCOMP_FILTER_FLAG_TSYNC))
		return pr_perror("TSYNC");

	test_daemon();
	test_waitsig();

	if (seccomp_result(SYS_getppid) != 81)
		return fail("leader: errno %d", seccomp_result(SYS_getppid));
	/* The kernel allows it only if every thread's filters are an ancestor of the caller's: the same objects. */
	if (seccomp_deny(SYS_getpgrp, 82, SECCOMP_FILTER_FLAG_TSYNC))
		return fail("the threads no longer share their filters");
	futex_set_and_wake(&go, 1);
	for (i = 0; i < NR_THREADS; i++)
		if (pthread_join(ids[i], &bad) || bad)
			return fail("thread %d", i);
	pass();
	return 0;
}
