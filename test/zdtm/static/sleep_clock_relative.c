#include <time.h>

#include "blocked.h"

const char *test_doc = "A task in clock_nanosleep() with a relative time, on two clocks in turn";
const char *test_author = "The criu team";

static long call(void)
{
	struct timespec half = { BLOCKED_TIMEOUT_MS / 2000, 0 };

	/* One of the two is dumped. */
	return clock_nanosleep(CLOCK_BOOTTIME, 0, &half, NULL) ?: clock_nanosleep(CLOCK_REALTIME, 0, &half, NULL);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
