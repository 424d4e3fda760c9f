#include <pthread.h>

#include "lock.h"
#include "seccomp_rules.h"
#include "taskutil.h"

const char *test_doc = "Every thread has a filter of its own, on top of a common one; one has none";
const char *test_author = "The criu team";

#define NR_THREADS 3

static futex_t ready, go;

static void *thread(void *arg)
{
	long n = (long)arg;

	if (seccomp_deny(SYS_getpgrp, 90 + n, 0))
		return (void *)(long)pr_perror("seccomp");
	futex_inc_and_wake(&ready);
	futex_wait_while(&go, 0);
	if (seccomp_result(SYS_getppid) != 89 || seccomp_result(SYS_getpgrp) != 90 + n)
		return (void *)(long)fail("thread %ld: errnos %d %d", n, seccomp_result(SYS_getppid),
					  seccomp_result(SYS_getpgrp));
	return NULL;
}

static void *free_thread(void *arg)
{
	futex_inc_and_wake(&ready);
	futex_wait_while(&go, 0);
	if (seccomp_result(SYS_getppid) || seccomp_result(SYS_getpgrp) || prctl(PR_GET_SECCOMP))
		return (void *)(long)fail("the thread without filter has one");
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t ids[NR_THREADS + 1];
	void *bad;
	long i;

	test_init(argc, argv);
	errno = pthread_create(&ids[NR_THREADS], NULL, free_thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	if (seccomp_deny(SYS_getppid, 89, 0))
		return pr_perror("seccomp");
	for (i = 0; i < NR_THREADS; i++) {
		errno = pthread_create(&ids[i], NULL, thread, (void *)i);
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&ready, NR_THREADS + 1);

	test_daemon();
	test_waitsig();

	if (seccomp_result(SYS_getppid) != 89 || seccomp_result(SYS_getpgrp))
		return fail("leader: errnos %d %d", seccomp_result(SYS_getppid), seccomp_result(SYS_getpgrp));
	futex_set_and_wake(&go, 1);
	for (i = 0; i <= NR_THREADS; i++)
		if (pthread_join(ids[i], &bad) || bad)
			return fail("thread %ld", i);
	pass();
	return 0;
}
