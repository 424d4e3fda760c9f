#include <signal.h>
#include <time.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Expirations of a POSIX timer with a blocked signal are counted as overruns after restore";
const char *test_author = "The criu team";

#define TICK_NS	  5000000
#define NR_TICKS  20
#define TIMER_SIG (SIGRTMIN + 4)

int main(int argc, char **argv)
{
	struct itimerspec spec = { { 0, TICK_NS }, { 0, TICK_NS } }, off = { 0 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = TIMER_SIG };
	struct timespec zero = { 0 };
	uint64_t start, total = 0;
	siginfo_t info;
	timer_t timer;
	sigset_t set;

	test_init(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, TIMER_SIG);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return pr_perror("sigprocmask");
	start = now_ns(CLOCK_MONOTONIC);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) || timer_settime(timer, 0, &spec, NULL))
		return pr_perror("timer");
	usleep(NR_TICKS * TICK_NS / 1000);

	test_daemon();
	test_waitsig();

	/* Those before the dump are known to the kernel alone until the signal is taken; they may be lost. */
	usleep(NR_TICKS * TICK_NS / 1000);
	while (sigtimedwait(&set, &info, &zero) == TIMER_SIG) {
		if (info.si_code != SI_TIMER)
			return fail("signal with code %d", info.si_code);
		total += 1 + info.si_overrun;
		if (timer_settime(timer, 0, &off, NULL))
			return fail("timer_settime");
	}
	if (total < NR_TICKS - 2)
		return fail("%lu expirations counted, %d have passed since restore", total, NR_TICKS);
	if (total > (now_ns(CLOCK_MONOTONIC) - start) / TICK_NS + 1)
		return fail("%lu expirations are more than the time since start", total);
	pass();
	return 0;
}
