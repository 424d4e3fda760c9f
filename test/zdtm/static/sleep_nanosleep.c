#include <time.h>

#include "blocked.h"

const char *test_doc = "A task in nanosleep() sleeps to the end of its time";
const char *test_author = "The criu team";

static long call(void)
{
	struct timespec ts = BLOCKED_TIMESPEC;

	return nanosleep(&ts, NULL);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
