#include <signal.h>

#include "zdtmtst.h"

const char *test_doc = "Queued real-time signals keep their number, their order and their values";
const char *test_author = "The criu team";

#define NR 40

/* Three signals mixed; the kernel gives the lowest number first, in order of arrival within it. */
static int sig_of(int i)
{
	return SIGRTMIN + 2 + (i * 5) % 3;
}

int main(int argc, char **argv)
{
	struct timespec zero = { 0 };
	int i, sig, got = 0;
	siginfo_t info;
	sigset_t set;

	test_init(argc, argv);
	sigfillset(&set);
	sigdelset(&set, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &set, NULL))
		return pr_perror("sigprocmask");
	for (i = 0; i < NR; i++) {
		union sigval v = { .sival_ptr = (void *)(0x123456780000UL + i) };

		if (sigqueue(getpid(), sig_of(i), v))
			return pr_perror("sigqueue");
	}

	test_daemon();
	test_waitsig();

	for (sig = SIGRTMIN + 2; sig < SIGRTMIN + 5; sig++) {
		for (i = 0; i < NR; i++) {
			if (sig_of(i) != sig)
				continue;
			if (sigtimedwait(&set, &info, &zero) != sig)
				return fail("number %d: signal %d expected", got, sig);
			if (info.si_value.sival_ptr != (void *)(0x123456780000UL + i))
				return fail("signal %d: value %p, not number %d", sig, info.si_value.sival_ptr, i);
			got++;
		}
	}
	if (sigtimedwait(&set, &info, &zero) != -1)
		return fail("one signal more than queued");
	pass();
	return got == NR ? 0 : 1;
}
