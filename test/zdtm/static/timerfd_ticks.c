#include <stdlib.h>
#include <sys/timerfd.h>

#include "zdtmtst.h"

const char *test_doc = "A repeating timerfd: just the expirations that were not read, none lost and none too many, and "
		       "the next in time";

#define INTERVAL_SEC 1000
#define LATE_SEC     3500
#define EXPIRED	     (LATE_SEC / INTERVAL_SEC + 1)

/* Of the wall clock, for others may not have run for that long. Set to the past it has expired so often at once. */
int main(int argc, char **argv)
{
	struct itimerspec spec = { .it_interval = { INTERVAL_SEC, 0 } }, left;
	int absolute = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK),
	    relative = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	unsigned long long ticks;
	struct timespec now;
	long next;

	test_init(argc, argv);

	if (clock_gettime(CLOCK_REALTIME, &now))
		return pr_perror("clock_gettime");
	spec.it_value.tv_sec = now.tv_sec - LATE_SEC;
	if (timerfd_settime(absolute, TFD_TIMER_ABSTIME, &spec, NULL))
		return pr_perror("timerfd_settime");
	spec.it_value = (struct timespec){ 0, 1000000 };
	if (timerfd_settime(relative, 0, &spec, NULL))
		return pr_perror("timerfd_settime");
	usleep(50000);

	test_daemon();
	test_waitsig();

	if (read(absolute, &ticks, sizeof(ticks)) != sizeof(ticks) || ticks != EXPIRED)
		return fail("%llu expirations, not %d", ticks, EXPIRED);
	if (read(relative, &ticks, sizeof(ticks)) != sizeof(ticks) || ticks != 1)
		return fail("%llu expirations of the other one, not 1", ticks);
	if (read(absolute, &ticks, sizeof(ticks)) != -1 || errno != EAGAIN ||
	    read(relative, &ticks, sizeof(ticks)) != -1 || errno != EAGAIN)
		return fail("they expire again");
	next = now.tv_sec - LATE_SEC + EXPIRED * INTERVAL_SEC;
	if (clock_gettime(CLOCK_REALTIME, &now) || timerfd_gettime(absolute, &left) ||
	    left.it_interval.tv_sec != INTERVAL_SEC || labs(now.tv_sec + left.it_value.tv_sec - next) > 1)
		return fail("the next is in %ld s", (long)left.it_value.tv_sec);
	if (timerfd_gettime(relative, &left) || left.it_interval.tv_sec != INTERVAL_SEC ||
	    left.it_value.tv_sec >= INTERVAL_SEC || left.it_value.tv_sec < INTERVAL_SEC - 300)
		return fail("the next of the other one is in %ld s", (long)left.it_value.tv_sec);

	pass();
	return 0;
}
