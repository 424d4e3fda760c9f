#include <sys/epoll.h>

#include "blocked.h"

const char *test_doc = "A task in epoll_wait() with a timeout";
const char *test_author = "The criu team";

static int efd;

static int set(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int p[2];

	efd = epoll_create1(0);
	if (efd < 0 || pipe(p) || epoll_ctl(efd, EPOLL_CTL_ADD, p[0], &ev))
		return pr_perror("epoll");
	return 0;
}

static long call(void)
{
	struct epoll_event ev;

	return epoll_wait(efd, &ev, 1, BLOCKED_TIMEOUT_MS);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = set,
		.call = call,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
