#include <poll.h>
#include <sys/timerfd.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Timerfds set to a point in time, and cancelled when the clock is set, keep it";

enum { WALL, MONOTONIC, BOOT, NR };

#define LATER_SEC 3000

static const int clocks[NR] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
static int fds[NR], due;
static struct timespec want[NR];

static int check(int i)
{
	struct timespec now;
	struct itimerspec left;
	double error;

	if (clock_gettime(clocks[i], &now) || timerfd_gettime(fds[i], &left))
		return pr_perror("clock %d", clocks[i]);
	error = (now.tv_sec - want[i].tv_sec + left.it_value.tv_sec) +
		(now.tv_nsec - want[i].tv_nsec + left.it_value.tv_nsec) / 1e9;
	if (error < -0.2 || error > 0.2)
		return fail("on clock %d it is %f s late", clocks[i], error);
	return 0;
}

static int set(int i)
{
	struct itimerspec spec = { .it_interval = { 1, 5 } };

	fds[i] = timerfd_create(clocks[i], TFD_NONBLOCK);
	if (fds[i] < 0 || clock_gettime(clocks[i], &want[i]))
		return pr_perror("timerfd_create");
	want[i].tv_sec += LATER_SEC;
	spec.it_value = want[i];
	if (timerfd_settime(fds[i], TFD_TIMER_ABSTIME | (i == WALL ? TFD_TIMER_CANCEL_ON_SET : 0), &spec, NULL))
		return pr_perror("timerfd_settime");
	return 0;
}

int main(int argc, char **argv)
{
	struct itimerspec past = { .it_value = { 1, 0 } };
	unsigned long long ticks;
	char path[64], text[1024];
	FILE *info;
	size_t n;

	test_init(argc, argv);

	for (int i = 0; i < NR; i++)
		if (set(i))
			return 1;
	due = timerfd_create(CLOCK_REALTIME, 0);
	if (due < 0 || timerfd_settime(due, TFD_TIMER_ABSTIME, &past, NULL))
		return pr_perror("timerfd in the past");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < NR; i++)
		if (check(i))
			return 1;
	if (read(due, &ticks, sizeof(ticks)) != sizeof(ticks) || ticks != 1)
		return fail("the one that was due");
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fds[WALL]);
	info = fopen(path, "r");
	n = info ? fread(text, 1, sizeof(text) - 1, info) : 0;
	text[n] = '\0';
	if (!strstr(text, "settime flags: 03\n"))
		return fail("the flags changed: %s", text);

	pass();
	return 0;
}
