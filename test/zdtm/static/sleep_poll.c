#include <poll.h>

#include "blocked.h"

const char *test_doc = "A task in poll() with a timeout";
const char *test_author = "The criu team";

static long call(void)
{
	struct pollfd pfd = { .events = POLLIN };
	int p[2];

	if (pipe(p))
		return -1;
	pfd.fd = p[0];
	return poll(&pfd, 1, BLOCKED_TIMEOUT_MS);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
