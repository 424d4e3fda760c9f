#include <signal.h>

#include "zdtmtst.h"

const char *test_doc =
	"Dumped inside a handler that runs on the alternate stack; it must return as if nothing had been";
const char *test_author = "The criu team";

#define STACK_BYTES 65536

static char stack[STACK_BYTES] __stack_aligned__;
static int bad = 1;

static void handler(int sig)
{
	char here[64];
	stack_t ss;

	(void)sig;
	test_daemon();
	test_waitsig();

	__asm__ volatile("" : : "r"(here) : "memory");
	if (&here[0] < &stack[0] || &here[0] >= &stack[STACK_BYTES])
		fail("the handler is on %p, not on its stack", here);
	else if (sigaltstack(NULL, &ss) || ss.ss_sp != stack || ss.ss_size != STACK_BYTES || ss.ss_flags != SS_ONSTACK)
		fail("inside: stack %p size %zu flags %#x", ss.ss_sp, ss.ss_size, ss.ss_flags);
	else
		bad = 0;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	stack_t ss = { .ss_sp = stack, .ss_size = STACK_BYTES };
	sigset_t before, after;

	test_init(argc, argv);
	sigemptyset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGHUP);
	sigemptyset(&before);
	sigaddset(&before, SIGQUIT);
	if (sigaltstack(&ss, NULL) || sigaction(SIGUSR2, &sa, NULL) || sigprocmask(SIG_SETMASK, &before, NULL))
		return pr_perror("set up");
	raise(SIGUSR2);

	if (bad)
		return fail("inside the handler");
	if (sigaltstack(NULL, &ss) || ss.ss_sp != stack || ss.ss_flags)
		return fail("after the handler: stack %p flags %#x", ss.ss_sp, ss.ss_flags);
	if (sigprocmask(SIG_SETMASK, NULL, &after) || !sigismember(&after, SIGQUIT) || sigismember(&after, SIGHUP) ||
	    sigismember(&after, SIGUSR2))
		return fail("after the handler: the mask is not the one from before");
	pass();
	return 0;
}
