#include <time.h>

#include "blocked.h"

const char *test_doc = "A task in clock_nanosleep() with an absolute time wakes at that time";
const char *test_author = "The criu team";

static uint64_t end;

static long call(void)
{
	struct timespec ts;

	end = now_ns(CLOCK_MONOTONIC) + BLOCKED_TIMEOUT_MS * 1000000ULL;
	ts.tv_sec = end / 1000000000;
	ts.tv_nsec = end % 1000000000;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int check(void)
{
	return now_ns(CLOCK_MONOTONIC) < end;
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.check = check,
	};

	return blocked_main(argc, argv, &test);
}
