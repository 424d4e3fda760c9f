#include <sys/epoll.h>

#include "zdtmtst.h"

const char *test_doc = "epoll instances that watch one another, the outer one made first and last";

#define NR 4

static int instances[NR], p[2];

static int reported(int i, uint64_t want)
{
	struct epoll_event event = { 0 };

	return epoll_wait(instances[i], &event, 1, 0) == 1 && event.events == EPOLLIN && event.data.u64 == want;
}

int main(int argc, char **argv)
{
	/* 3 watches 0, which watches 1, which watches 2, which watches the pipe. */
	static const int chain[NR] = { 3, 0, 1, 2 };
	struct epoll_event event = { .events = EPOLLIN };
	char c;
	int i;

	test_init(argc, argv);

	if (pipe(p))
		return pr_perror("pipe");
	for (i = 0; i < NR; i++) {
		instances[i] = epoll_create1(0);
		if (instances[i] < 0)
			return pr_perror("epoll_create1");
	}
	for (i = 0; i < NR; i++) {
		event.data.u64 = i + 100;
		if (epoll_ctl(instances[chain[i]], EPOLL_CTL_ADD, i + 1 < NR ? instances[chain[i + 1]] : p[0], &event))
			return pr_perror("epoll_ctl");
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++)
		if (epoll_wait(instances[i], &event, 1, 0) != 0)
			return fail("instance %d: an event out of nowhere", i);
	if (write(p[1], "x", 1) != 1)
		return pr_perror("write");
	for (i = 0; i < NR; i++)
		if (!reported(chain[i], i + 100))
			return fail("instance %d does not report", chain[i]);
	if (read(p[0], &c, 1) != 1)
		return pr_perror("read");
	if (epoll_wait(instances[3], &event, 1, 0) != 0)
		return fail("the event stays");

	pass();
	return 0;
}
