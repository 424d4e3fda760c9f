#ifndef ZDTM_STATIC_SPIN_H
#define ZDTM_STATIC_SPIN_H

/*
 * For tests of registers: the values must sit in them while the task is
 * dumped, so it spins in one asm statement until SIGTERM. Two threads with
 * different values, so that a mix-up between threads shows too.
 */

#include <pthread.h>
#include <signal.h>

#include "lock.h"
#include "zdtmtst.h"

/* The asm loops wait for this to become non-zero. */
static volatile int spin_end;
static futex_t spin_ready;

/* Loads @seed-dependent values, spins on spin_end, stores and compares; 0 or 1 with a message. */
static int spin(unsigned seed);

static void spin_term(int sig)
{
	(void)sig;
	spin_end = 1;
}

static void *spin_thread(void *arg)
{
	futex_inc_and_wake(&spin_ready);
	return (void *)(long)spin((unsigned)(long)arg);
}

static int spin_test(void)
{
	pthread_t ids[2];
	void *bad[2];
	long i;

	if (signal(SIGTERM, spin_term) == SIG_ERR)
		return pr_perror("signal");
	for (i = 0; i < 2; i++) {
		errno = pthread_create(&ids[i], NULL, spin_thread, (void *)(i + 1));
		if (errno)
			return pr_perror("pthread_create");
	}
	futex_wait_until(&spin_ready, 2);
	/* They have announced themselves before they load; give them the time for some instructions. */
	usleep(50000);

	test_daemon();
	for (i = 0; i < 2; i++)
		if (pthread_join(ids[i], &bad[i]))
			return fail("pthread_join");
	if (bad[0] || bad[1])
		return 1;
	pass();
	return 0;
}

/* Fill with bytes that differ everywhere and between seeds. */
static inline void spin_fill(void *buf, size_t len, unsigned seed)
{
	unsigned char *p = buf;
	unsigned x = seed * 2654435761u + 1;

	while (len--) {
		x = x * 1664525 + 1013904223;
		*p++ = x >> 24;
	}
}

static inline int spin_compare(const char *what, const void *got, const void *want, size_t len, unsigned seed)
{
	const unsigned char *a = got, *b = want;
	size_t i;

	for (i = 0; i < len; i++)
		if (a[i] != b[i])
			return fail("thread %u: %s: byte %zu is %#x, was %#x", seed, what, i, a[i], b[i]);
	return 0;
}

#endif
