#ifndef ZDTM_LOCK_H
#define ZDTM_LOCK_H

/*
 * Futex-based waiting for tests. Both types work between threads, and between
 * processes when they lie in a shared mapping.
 */

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "asm/atomic.h"

typedef struct {
	atomic_t raw;
} futex_t;

#define FUTEX_ABORT_FLAG (0x80000000U)
#define FUTEX_ABORT_RAW	 (-1U)

static inline long sys_futex(void *addr, int op, uint32_t val, const struct timespec *timeout, void *addr2,
			     uint32_t val3)
{
	return syscall(SYS_futex, addr, op, val, timeout, addr2, val3);
}

static inline uint32_t futex_get(futex_t *f)
{
	return atomic_read(&f->raw);
}

static inline void futex_set(futex_t *f, uint32_t v)
{
	atomic_set(&f->raw, (int)v);
}

#define futex_init(f) futex_set(f, 0)

static inline void futex_inc(futex_t *f)
{
	atomic_inc(&f->raw);
}

static inline void futex_dec(futex_t *f)
{
	atomic_dec(&f->raw);
}

static inline void futex_wake(futex_t *f)
{
	sys_futex(&f->raw.counter, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline void futex_set_and_wake(futex_t *f, uint32_t v)
{
	futex_set(f, v);
	futex_wake(f);
}

/* Make every present and future waiter return; the value is FUTEX_ABORT_RAW afterwards. */
static inline void futex_abort_and_wake(futex_t *f)
{
	futex_set_and_wake(f, FUTEX_ABORT_RAW);
}

static inline void futex_inc_and_wake(futex_t *f)
{
	futex_inc(f);
	futex_wake(f);
}

static inline void futex_dec_and_wake(futex_t *f)
{
	futex_dec(f);
	futex_wake(f);
}

/*
 * Each sleeps until the condition on the value holds or the futex is aborted
 * and returns the value seen last.
 */
#define __futex_wait_cond(f, cond)                                                                                     \
	({                                                                                                             \
		uint32_t tmp;                                                                                          \
		for (;;) {                                                                                             \
			tmp = futex_get(f);                                                                            \
			if ((tmp & FUTEX_ABORT_FLAG) || (cond))                                                        \
				break;                                                                                 \
			sys_futex(&(f)->raw.counter, FUTEX_WAIT, tmp, NULL, NULL, 0);                                  \
		}                                                                                                      \
		tmp;                                                                                                   \
	})

static inline uint32_t futex_wait_until(futex_t *f, uint32_t v)
{
	return __futex_wait_cond(f, tmp == v);
}

static inline uint32_t futex_wait_while(futex_t *f, uint32_t v)
{
	return __futex_wait_cond(f, tmp != v);
}

static inline uint32_t futex_wait_while_lt(futex_t *f, uint32_t v)
{
	return __futex_wait_cond(f, tmp >= v);
}

static inline uint32_t futex_wait_while_gt(futex_t *f, uint32_t v)
{
	return __futex_wait_cond(f, tmp <= v);
}

static inline uint32_t futex_wait_while_eq(futex_t *f, uint32_t v)
{
	return futex_wait_while(f, v);
}

/* 0 free, 1 held, 2 held with possible waiters. */
typedef struct {
	atomic_t raw;
} mutex_t;

static inline void mutex_init(mutex_t *m)
{
	atomic_set(&m->raw, 0);
}

static inline void mutex_lock(mutex_t *m)
{
	int c = atomic_cmpxchg(&m->raw, 0, 1);

	while (c) {
		if (c == 2 || atomic_cmpxchg(&m->raw, 1, 2))
			sys_futex(&m->raw.counter, FUTEX_WAIT, 2, NULL, NULL, 0);
		c = atomic_cmpxchg(&m->raw, 0, 2);
	}
}

static inline void mutex_unlock(mutex_t *m)
{
	if (__atomic_exchange_n(&m->raw.counter, 0, __ATOMIC_SEQ_CST) == 2)
		sys_futex(&m->raw.counter, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
