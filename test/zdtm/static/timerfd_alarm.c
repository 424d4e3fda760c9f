#include <sys/timerfd.h>

#include "zdtmtst.h"
#include "taskutil.h"

const char *test_doc = "Timerfds on alarm clocks go on, though their task may not set any";

int main(int argc, char **argv)
{
	static const int clocks[] = { CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM };
	struct itimerspec spec = { .it_value = { 3, 0 }, .it_interval = { 2000, 0 } };
	unsigned long long ticks;
	int fds[2];

	test_init(argc, argv);

	for (int i = 0; i < 2; i++) {
		fds[i] = timerfd_create(clocks[i], 0);
		if (fds[i] < 0 || timerfd_settime(fds[i], 0, &spec, NULL)) {
			if (errno != EPERM && errno != EINVAL)
				return pr_perror("timerfd_create");
			skip("no right to set alarms");
			return skipped_test();
		}
	}
	if (setuid(18943))
		return pr_perror("setuid");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		if (read(fds[i], &ticks, sizeof(ticks)) != sizeof(ticks) || ticks != 1)
			return fail("timer %d does not expire", i);
		if (timerfd_gettime(fds[i], &spec) || spec.it_interval.tv_sec != 2000 || spec.it_value.tv_sec > 2000)
			return fail("timer %d does not repeat", i);
	}
	if (timerfd_create(CLOCK_BOOTTIME_ALARM, 0) != -1 || errno != EPERM)
		return fail("the task may set alarms");

	pass();
	return 0;
}
