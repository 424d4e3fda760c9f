#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Timerfds: clock, remaining time, interval, flags, expirations that were not read";

enum { LONG, REPEATING, SHORT, EXPIRED, DISARMED, HALF_ARMED, UNUSED, NR };

static struct {
	int clock, flags;
	struct itimerspec spec;
	struct fd_state state;
	int fd;
} timers[NR] = {
	[LONG] = { CLOCK_MONOTONIC, TFD_NONBLOCK, { { 0, 0 }, { 5000, 0 } } },
	[REPEATING] = { CLOCK_REALTIME, TFD_NONBLOCK, { { 0, 20000000 }, { 0, 10000000 } } },
	[SHORT] = { CLOCK_BOOTTIME, TFD_CLOEXEC, { { 0, 0 }, { 3, 0 } } },
	[EXPIRED] = { CLOCK_MONOTONIC, TFD_NONBLOCK, { { 0, 0 }, { 0, 1000000 } } },
	[DISARMED] = { CLOCK_MONOTONIC, TFD_NONBLOCK, { { 0, 0 }, { 0, 0 } } },
	[HALF_ARMED] = { CLOCK_MONOTONIC, TFD_NONBLOCK, { { 7, 8 }, { 0, 0 } } },
	[UNUSED] = { CLOCK_REALTIME, TFD_NONBLOCK, { { 0, 0 }, { 0, 0 } } },
};

static bool is_ready(int i, int ms)
{
	struct pollfd poller = { .fd = timers[i].fd, .events = POLLIN };

	return poll(&poller, 1, ms) == 1;
}

/* -1 with errno when there is none. */
static long ticks(int i)
{
	unsigned long long n;

	return read(timers[i].fd, &n, sizeof(n)) == sizeof(n) ? (long)n : -1;
}

static int check_idle(int i)
{
	struct itimerspec now;

	if (ticks(i) != -1 || errno != EAGAIN || timerfd_gettime(timers[i].fd, &now))
		return 1;
	return now.it_value.tv_sec || now.it_value.tv_nsec ||
	       now.it_interval.tv_sec != timers[i].spec.it_interval.tv_sec ||
	       now.it_interval.tv_nsec != timers[i].spec.it_interval.tv_nsec;
}

int main(int argc, char **argv)
{
	struct itimerspec now;
	long n;

	test_init(argc, argv);

	for (int i = 0; i < NR; i++) {
		timers[i].fd = timerfd_create(timers[i].clock, timers[i].flags);
		if (timers[i].fd < 0 || fd_state_get(timers[i].fd, &timers[i].state) ||
		    (i != UNUSED && timerfd_settime(timers[i].fd, 0, &timers[i].spec, NULL)))
			return pr_perror("timerfd %d", i);
	}
	/* Two have expired and are not read. */
	usleep(50000);
	if (!is_ready(REPEATING, 10000) || !is_ready(EXPIRED, 10000))
		return 1;

	test_daemon();
	test_waitsig();

	for (int i = 0; i < NR; i++)
		if (fd_state_changed(timers[i].fd, &timers[i].state, FD_NEW_INODE))
			return fail("timerfd %d changed", i);
	if (ticks(EXPIRED) != 1 || check_idle(EXPIRED))
		return fail("the expired one");
	if (check_idle(DISARMED) || check_idle(HALF_ARMED) || check_idle(UNUSED))
		return fail("those that are not armed");
	if (ticks(LONG) != -1 || timerfd_gettime(timers[LONG].fd, &now) || now.it_value.tv_sec > 5000 ||
	    now.it_value.tv_sec < 3000 || now.it_interval.tv_sec || now.it_interval.tv_nsec)
		return fail("the long one has %ld s left", (long)now.it_value.tv_sec);
	n = ticks(REPEATING);
	if (n < 2)
		return fail("the repeating one had expired %ld times", n);
	if (timerfd_gettime(timers[REPEATING].fd, &now) || now.it_interval.tv_sec ||
	    now.it_interval.tv_nsec != 20000000 || !is_ready(REPEATING, 10000) || ticks(REPEATING) < 1)
		return fail("the repeating one does not go on");
	if (ticks(SHORT) != 1)
		return fail("the short one does not expire");

	pass();
	return 0;
}
