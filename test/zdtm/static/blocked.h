#ifndef ZDTM_STATIC_BLOCKED_H
#define ZDTM_STATIC_BLOCKED_H

/*
 * For tests of system calls that block: a child sits in one while it is dumped.
 * Neither the dump nor the restore may end the call: not with EINTR, not early,
 * not by losing what the call waits for.
 */

#include <signal.h>

#include "taskutil.h"
#include "zdtmtst.h"

struct blocked_test {
	/* The call; its value and errno are the subject. Runs in the child. */
	long (*call)(void);
	/* Optional, in the child before it. */
	int (*set)(void);
	/* What ends the call. NULL: only its timeout does. */
	int (*wake)(pid_t child);
	/* Optional, in the child after the call. */
	int (*check)(void);
	long ret;
	int err;
	/* Time the call has to last at least, if nothing wakes it. */
	unsigned timeout_ms;
	/* Optional, between start and readiness. */
	int (*disturb)(pid_t child);
};

struct blocked_result {
	volatile int entering, done, bad;
	volatile long ret;
	volatile int err;
	volatile uint64_t ns;
};

/* Long enough for the task to be dumped within it, even on a busy machine. */
#define BLOCKED_TIMEOUT_MS 4000
#define BLOCKED_TIMESPEC                                                                                               \
	{                                                                                                              \
		BLOCKED_TIMEOUT_MS / 1000, BLOCKED_TIMEOUT_MS % 1000 * 1000000L                                        \
	}

static int blocked_child(const struct blocked_test *test, struct blocked_result *result)
{
	uint64_t start;

	if (test->set && test->set())
		return 1;
	start = now_ns(CLOCK_MONOTONIC);
	result->entering = 1;
	errno = 0;
	result->ret = test->call();
	result->err = errno;
	result->ns = now_ns(CLOCK_MONOTONIC) - start;
	result->bad = test->check && test->check();
	result->done = 1;
	return 0;
}

static int blocked_verdict(const struct blocked_test *test, const struct blocked_result *result)
{
	if (!result->done)
		return fail("the child ended before its call");
	if (result->ret != test->ret || (test->ret < 0 && result->err != test->err))
		return fail("the call returned %ld, errno %d, instead of %ld, errno %d", result->ret, result->err,
			    test->ret, test->err);
	if (!test->wake && result->ns < test->timeout_ms * 1000000ULL)
		return fail("the call ended after %lu us of %u ms", result->ns / 1000, test->timeout_ms);
	return result->bad ? fail("after the call") : 0;
}

/* What main() returns. */
static int blocked_main(int argc, char **argv, const struct blocked_test *test)
{
	struct blocked_result *result;
	pid_t pid;

	test_init(argc, argv);
	result = shared_alloc(sizeof(*result));
	if (!result)
		return 1;
	pid = test_fork();
	if (pid < 0)
		return pr_perror("fork");
	if (!pid) {
		/* SIGTERM is for the parent alone. */
		signal(SIGTERM, SIG_DFL);
		exit(blocked_child(test, result));
	}
	while (!result->entering)
		usleep(1000);
	if (task_wait_state(pid, 'S') || (test->disturb && test->disturb(pid)))
		return 1;

	test_daemon();
	test_waitsig();

	if (test->wake) {
		if (task_wait_state(pid, 'S') || result->done)
			return fail("the call has ended though nothing happened: %ld, errno %d", result->ret,
				    result->err);
		if (test->wake(pid))
			return 1;
	}
	if (child_reap(pid) || blocked_verdict(test, result))
		return 1;
	pass();
	return 0;
}

#endif
