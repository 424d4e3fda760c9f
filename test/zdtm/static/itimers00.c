#include <sys/time.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The three interval timers: what was left of them, and their intervals to the microsecond";
const char *test_author = "The criu team";

static const struct itimerval values[] = {
	[ITIMER_REAL] = { .it_interval = { 12345, 678901 }, .it_value = { 4000, 0 } },
	[ITIMER_VIRTUAL] = { .it_interval = { 0, 0 }, .it_value = { 5000, 0 } },
	[ITIMER_PROF] = { .it_interval = { 77, 999999 }, .it_value = { 6000, 0 } },
};

static double seconds(struct timeval tv)
{
	return tv.tv_sec + tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	double elapsed, left, most;
	struct itimerval now;
	uint64_t start;
	int i;

	test_init(argc, argv);
	start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < (int)ARRAY_SIZE(values); i++)
		if (setitimer(i, &values[i], NULL))
			return pr_perror("setitimer %d", i);

	test_daemon();
	test_waitsig();

	for (i = 0; i < (int)ARRAY_SIZE(values); i++) {
		if (getitimer(i, &now))
			return fail("getitimer %d", i);
		if (now.it_interval.tv_sec != values[i].it_interval.tv_sec ||
		    now.it_interval.tv_usec != values[i].it_interval.tv_usec)
			return fail("timer %d: interval %f", i, seconds(now.it_interval));
		/* CPU time passes more slowly; the kernel counts it in ticks of up to 10 ms, in favour of none. */
		elapsed = (now_ns(CLOCK_MONOTONIC) - start) / 1e9 + 0.05;
		left = seconds(now.it_value);
		most = seconds(values[i].it_value) + (i == ITIMER_REAL ? 0 : 0.05);
		if (left > most || left < seconds(values[i].it_value) - elapsed)
			return fail("timer %d: %f s left of %f after %f", i, left, most, elapsed);
	}
	pass();
	return 0;
}
