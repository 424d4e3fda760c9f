#include "blocked.h"
#include "lock.h"

const char *test_doc = "A task in a futex wait with a timeout";
const char *test_author = "The criu team";

static long call(void)
{
	struct timespec ts = BLOCKED_TIMESPEC;
	futex_t f;

	futex_set(&f, 7);
	return sys_futex(&f.raw.counter, FUTEX_WAIT, 7, &ts, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.ret = -1,
		.err = ETIMEDOUT,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
