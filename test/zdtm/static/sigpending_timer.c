#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "zdtmtst.h"

const char *test_doc = "A pending signal that a POSIX timer has sent, and one from an interval timer";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 31415 };
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	struct itimerval real = { .it_value.tv_usec = 1 };
	struct timespec zero = { 0 };
	sigset_t set, pending;
	siginfo_t info;
	timer_t timer;

	test_init(argc, argv);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return pr_perror("sigprocmask");
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) || timer_settime(timer, 0, &soon, NULL))
		return pr_perror("timer");
	if (setitimer(ITIMER_REAL, &real, NULL))
		return pr_perror("setitimer");
	do {
		usleep(1000);
		if (sigpending(&pending))
			return pr_perror("sigpending");
	} while (!sigismember(&pending, SIGUSR1) || !sigismember(&pending, SIGALRM));

	test_daemon();
	test_waitsig();

	sigdelset(&set, SIGALRM);
	if (sigtimedwait(&set, &info, &zero) != SIGUSR1)
		return fail("SIGUSR1 is not pending");
	if (info.si_code != SI_TIMER || info.si_value.sival_int != 31415 || info.si_overrun ||
	    info.si_timerid != (int)(long)timer)
		return fail("SIGUSR1: code %d value %d overrun %d timer %d", info.si_code, info.si_value.sival_int,
			    info.si_overrun, info.si_timerid);
	if (sigtimedwait(&set, &info, &zero) != -1)
		return fail("SIGUSR1 came twice");
	sigaddset(&set, SIGALRM);
	if (sigtimedwait(&set, &info, &zero) != SIGALRM || info.si_code != SI_KERNEL)
		return fail("SIGALRM, code %d", info.si_code);
	if (timer_delete(timer))
		return fail("timer_delete");
	pass();
	return 0;
}
