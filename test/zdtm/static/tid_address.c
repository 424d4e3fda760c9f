#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "The kernel clears and wakes the word a thread has named for its end";
const char *test_author = "The criu team";

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

static futex_t ready, end, cleared;

static void *thread(void *arg)
{
	futex_set(&cleared, gettid());
	syscall(SYS_set_tid_address, &cleared);
	futex_set_and_wake(&ready, 1);
	futex_wait_while(&end, 0);
	/* Not a return: libc would wait for its own word, which is no longer the one. */
	syscall(SYS_exit, 0);
	return arg;
}

static void *joined(void *arg)
{
	futex_wait_while(&end, 0);
	return arg;
}

int main(int argc, char **argv)
{
	int *before = NULL, *after = NULL;
	struct timespec limit = { .tv_sec = 20 };
	pthread_t ids[2];
	uint32_t tid;
	void *ret;

	test_init(argc, argv);
	errno = pthread_create(&ids[0], NULL, thread, NULL) ?: pthread_create(&ids[1], NULL, joined, (void *)77L);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	prctl(PR_GET_TID_ADDRESS, &before);

	test_daemon();
	test_waitsig();

	prctl(PR_GET_TID_ADDRESS, &after);
	if (before != after)
		return fail("the leader's address is %p, was %p", after, before);
	tid = futex_get(&cleared);
	if (!tid)
		return fail("the word was cleared though the thread lives");
	futex_set_and_wake(&end, 1);
	while ((tid = futex_get(&cleared)))
		if (sys_futex(&cleared.raw.counter, FUTEX_WAIT, tid, &limit, NULL, 0) && errno == ETIMEDOUT)
			return fail("the word of the ended thread still says %u", tid);
	if (pthread_join(ids[1], &ret) || ret != (void *)77L)
		return fail("pthread_join");
	pass();
	return 0;
}
