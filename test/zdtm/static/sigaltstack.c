#include <pthread.h>
#include <signal.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc = "Alternate signal stacks of two threads, one disabled, and a handler that runs on its own";
const char *test_author = "The criu team";

#define STACK_BYTES 32768
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

static char stack_leader[STACK_BYTES] __stack_aligned__;
static char stack_thread[STACK_BYTES] __stack_aligned__;
static futex_t ready;
static __thread char *handler_sp;

static void handler(int sig)
{
	char here;

	(void)sig;
	/* The address is only compared. */
	__asm__ volatile("" : "=r"(handler_sp) : "0"(&here));
}

static int set(char *stack, int flags)
{
	stack_t ss = { .ss_sp = stack, .ss_size = STACK_BYTES, .ss_flags = flags };

	return sigaltstack(&ss, NULL) ? pr_perror("sigaltstack") : 0;
}

static int check(const char *who, char *stack, int flags)
{
	stack_t ss;

	if (sigaltstack(NULL, &ss))
		return fail("%s: sigaltstack", who);
	if (ss.ss_sp != stack || ss.ss_size != STACK_BYTES || ss.ss_flags != flags)
		return fail("%s: stack %p size %zu flags %#x", who, ss.ss_sp, ss.ss_size, ss.ss_flags);
	if (pthread_kill(pthread_self(), SIGUSR1))
		return fail("%s: pthread_kill", who);
	if (handler_sp < stack || handler_sp >= stack + STACK_BYTES)
		return fail("%s: the handler ran at %p, not on %p", who, handler_sp, stack);
	return 0;
}

static void *thread(void *arg)
{
	(void)arg;
	if (set(stack_thread, SS_AUTODISARM))
		return (void *)1L;
	futex_inc_and_wake(&ready);
	test_waitsig();
	return (void *)(long)check("thread", stack_thread, SS_AUTODISARM);
}

static void *thread_without(void *arg)
{
	stack_t ss;

	(void)arg;
	futex_inc_and_wake(&ready);
	test_waitsig();
	if (sigaltstack(NULL, &ss) || ss.ss_flags != SS_DISABLE)
		return (void *)(long)fail("the thread without a stack has one");
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	pthread_t ids[2];
	void *bad[2];

	test_init(argc, argv);
	if (sigaction(SIGUSR1, &sa, NULL))
		return pr_perror("sigaction");
	errno = pthread_create(&ids[0], NULL, thread, NULL) ?: pthread_create(&ids[1], NULL, thread_without, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 2);
	if (set(stack_leader, 0))
		return 1;

	test_daemon();
	test_waitsig();

	if (check("leader", stack_leader, 0))
		return 1;
	if (pthread_join(ids[0], &bad[0]) || pthread_join(ids[1], &bad[1]) || bad[0] || bad[1])
		return fail("a thread");
	pass();
	return 0;
}
