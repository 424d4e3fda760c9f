#include <sys/epoll.h>

#include "zdtmtst.h"

const char *test_doc = "An epoll descriptor is refused, and goes on watching";

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x1122334455667788ULL };
	int fd, p[2];

	test_init(argc, argv);

	fd = epoll_create1(0);
	if (fd < 0 || pipe(p) || epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &event))
		return pr_perror("epoll");

	test_daemon();
	test_waitsig();

	memset(&event, 0, sizeof(event));
	if (epoll_wait(fd, &event, 1, 0) != 0)
		return fail("an event out of nowhere");
	if (write(p[1], "x", 1) != 1 || epoll_wait(fd, &event, 1, 1000) != 1 || event.events != EPOLLIN ||
	    event.data.u64 != 0x1122334455667788ULL)
		return fail("the event does not arrive");

	pass();
	return 0;
}
