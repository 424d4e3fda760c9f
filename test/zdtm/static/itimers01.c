#include <signal.h>
#include <sys/time.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Running interval timers go on ticking after restore, each with its own signal";
const char *test_author = "The criu team";

static volatile int ticks[3];

static void tick(int sig)
{
	ticks[sig == SIGALRM ? ITIMER_REAL : sig == SIGVTALRM ? ITIMER_VIRTUAL : ITIMER_PROF]++;
}

static int all_tick(void)
{
	uint64_t end = now_ns(CLOCK_MONOTONIC) + 20ULL * 1000000000;
	int i;

	for (i = 0; i < 3; i++)
		ticks[i] = 0;
	/* Spin: two of them count CPU time. */
	while (ticks[0] < 3 || ticks[1] < 3 || ticks[2] < 3)
		if (now_ns(CLOCK_MONOTONIC) > end)
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	struct itimerval value = { { 0, 20000 }, { 0, 20000 } }, now;
	int i;

	test_init(argc, argv);
	if (signal(SIGALRM, tick) == SIG_ERR || signal(SIGVTALRM, tick) == SIG_ERR || signal(SIGPROF, tick) == SIG_ERR)
		return pr_perror("signal");
	for (i = 0; i < 3; i++)
		if (setitimer(i, &value, NULL))
			return pr_perror("setitimer %d", i);
	if (!all_tick())
		return pr_err("no ticks before the dump\n");

	test_daemon();
	test_waitsig();

	if (!all_tick())
		return fail("ticks in 20 s: real %d virtual %d prof %d", ticks[0], ticks[1], ticks[2]);
	for (i = 0; i < 3; i++)
		if (getitimer(i, &now) || now.it_interval.tv_sec || now.it_interval.tv_usec != 20000)
			return fail("timer %d: interval %ld us", i, now.it_interval.tv_usec);
	pass();
	return 0;
}
