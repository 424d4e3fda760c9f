#include <sys/select.h>

#include "blocked.h"

const char *test_doc = "A task in select() with a timeout";
const char *test_author = "The criu team";

static long call(void)
{
	struct timeval tv = { BLOCKED_TIMEOUT_MS / 1000, BLOCKED_TIMEOUT_MS % 1000 * 1000 };
	fd_set set;
	int p[2];

	if (pipe(p))
		return -1;
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	return select(p[0] + 1, &set, NULL, NULL, &tv);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
