#include <sys/epoll.h>

#include "zdtmtst.h"

const char *test_doc = "A disarmed EPOLLONESHOT target does not even tell of a hang-up, and an armed one does, once";

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	int efd, disarmed[2], armed[2];
	char byte;

	test_init(argc, argv);

	efd = epoll_create1(0);
	if (efd < 0 || pipe(disarmed) || pipe(armed))
		return pr_perror("pipe");
	event.data.u64 = 1;
	if (epoll_ctl(efd, EPOLL_CTL_ADD, disarmed[0], &event) || write(disarmed[1], "x", 1) != 1 ||
	    epoll_wait(efd, &event, 1, 0) != 1 || read(disarmed[0], &byte, 1) != 1)
		return pr_perror("disarm");
	event.events = EPOLLIN | EPOLLONESHOT;
	event.data.u64 = 2;
	if (epoll_ctl(efd, EPOLL_CTL_ADD, armed[0], &event))
		return pr_perror("epoll_ctl");

	test_daemon();
	test_waitsig();

	if (epoll_wait(efd, &event, 1, 0))
		return fail("target %d is reported", (int)event.data.u64);
	close(disarmed[1]);
	if (epoll_wait(efd, &event, 1, 0))
		return fail("the disarmed target %d is reported with %#x", (int)event.data.u64, event.events);
	close(armed[1]);
	if (epoll_wait(efd, &event, 1, 0) != 1 || event.data.u64 != 2 || event.events != EPOLLHUP)
		return fail("the armed target");
	if (epoll_wait(efd, &event, 1, 0))
		return fail("the armed target is reported twice");
	event.events = EPOLLIN | EPOLLONESHOT;
	event.data.u64 = 3;
	if (epoll_ctl(efd, EPOLL_CTL_MOD, disarmed[0], &event) || epoll_wait(efd, &event, 1, 0) != 1 ||
	    event.data.u64 != 3 || event.events != EPOLLHUP)
		return fail("the target that is armed again");

	pass();
	return 0;
}
