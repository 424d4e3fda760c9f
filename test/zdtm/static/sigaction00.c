#include <signal.h>
#include <sys/syscall.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Every field of every signal's action as the kernel keeps it, restorer included";
const char *test_author = "The criu team";

/* What rt_sigaction() takes; libc would hide the restorer. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

#define NR_SIGNALS  64
#define SA_RESTORER 0x04000000

static struct kernel_sigaction want[NR_SIGNALS + 1];

static const unsigned long flag_sets[] = {
	0, SA_RESTART, SA_NODEFER, SA_RESETHAND, SA_SIGINFO | SA_ONSTACK, SA_SIGINFO | SA_RESTART | SA_NODEFER,
};

static void handler_a(int sig)
{
	(void)sig;
}

static void handler_b(int sig)
{
	(void)sig;
}

static long action(int sig, const struct kernel_sigaction *new, struct kernel_sigaction *old)
{
	return syscall(SYS_rt_sigaction, sig, new, old, sizeof(new->mask));
}

static int set(void)
{
	void (*handlers[])(int) = { handler_a, handler_b, SIG_IGN, SIG_DFL };
	int sig;

	for (sig = 1; sig <= NR_SIGNALS; sig++) {
		if (action(sig, NULL, &want[sig]))
			return pr_perror("rt_sigaction %d", sig);
		if (sig == SIGKILL || sig == SIGSTOP || sig == SIGTERM || sig == SIGCHLD)
			continue;
		want[sig].handler = handlers[sig % ARRAY_SIZE(handlers)];
		want[sig].flags = flag_sets[sig % ARRAY_SIZE(flag_sets)];
		if (want[sig].handler == handler_a || want[sig].handler == handler_b) {
			want[sig].flags |= SA_RESTORER;
			want[sig].restorer = (void (*)(void))(0x1000UL + sig);
		}
		want[sig].mask = 1ULL << (sig - 1) | 1ULL << (sig * 7 % 8);
		if (action(sig, &want[sig], NULL) || action(sig, NULL, &want[sig]))
			return pr_perror("rt_sigaction %d", sig);
	}
	return 0;
}

static int check(void)
{
	int sig;

	for (sig = 1; sig <= NR_SIGNALS; sig++) {
		struct kernel_sigaction now;

		if (action(sig, NULL, &now))
			return fail("rt_sigaction %d", sig);
		if (memcmp(&now, &want[sig], sizeof(now)))
			return fail("signal %d: handler %p flags %#lx restorer %p mask %#llx, were %p %#lx %p %#llx",
				    sig, now.handler, now.flags, now.restorer, (long long)now.mask, want[sig].handler,
				    want[sig].flags, want[sig].restorer, (long long)want[sig].mask);
	}
	return 0;
}

int main(int argc, char **argv)
{
	return child_test(argc, argv, set, check);
}
