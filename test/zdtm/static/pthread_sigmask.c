#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "Each thread has its own mask of blocked signals, all 64 bits of it";
const char *test_author = "The criu team";

#define NR_THREADS 3

/* Neither SIGKILL, SIGSTOP nor SIGTERM. */
#define SETTABLE (~(1ULL << 8 | 1ULL << 18 | 1ULL << 14))

static const uint64_t masks[NR_THREADS] = { 0, 0x8000000000000001ULL, 0xa5a5a5a55a5a5a5aULL & SETTABLE };
static futex_t ready, go;

static long thread_mask(const uint64_t *new, uint64_t *old)
{
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, new, old, sizeof(uint64_t));
}

static void *thread(void *arg)
{
	const uint64_t *want = arg;
	uint64_t now;

	if (thread_mask(want, NULL))
		return (void *)(long)pr_perror("rt_sigprocmask");
	futex_inc_and_wake(&ready);
	futex_wait_while(&go, 0);
	if (thread_mask(NULL, &now) || now != *want)
		return (void *)(long)fail("the mask is %#llx, was %#llx", (long long)now, (long long)*want);
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t own = 1ULL << (SIGUSR1 - 1) | 1ULL << 63, now;
	pthread_t ids[NR_THREADS];
	int i;

	test_init(argc, argv);
	for (i = 0; i < NR_THREADS; i++) {
		errno = pthread_create(&ids[i], NULL, thread, (void *)&masks[i]);
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&ready, NR_THREADS);
	if (thread_mask(&own, NULL))
		return pr_perror("rt_sigprocmask");

	test_daemon();
	test_waitsig();

	if (thread_mask(NULL, &now) || now != own)
		return fail("the leader's mask is %#llx, was %#llx", (long long)now, (long long)own);
	futex_set_and_wake(&go, 1);
	for (i = 0; i < NR_THREADS; i++) {
		void *bad;

		if (pthread_join(ids[i], &bad) || bad)
			return fail("thread %d", i);
	}
	pass();
	return 0;
}
