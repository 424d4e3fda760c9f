#include <sys/epoll.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "An epoll instance that watches unix pairs: ready ones, quiet ones, closed ones";

int main(int argc, char **argv)
{
	struct epoll_event events[4], event = { .events = EPOLLIN | EPOLLRDHUP };
	int full[2], quiet[2], closed[2], epoll;

	test_init(argc, argv);

	epoll = epoll_create1(0);
	if (epoll < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, full) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, quiet) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, closed))
		return pr_perror("socketpair");
	for (int i = 0; i < 3; i++) {
		event.data.u32 = i;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, ((int[]){ full[1], quiet[1], closed[1] })[i], &event))
			return pr_perror("epoll_ctl");
	}
	if (send_sequence(full[0], 0, 10) || close(closed[0]))
		return pr_perror("send");

	test_daemon();
	test_waitsig();

	if (epoll_wait(epoll, events, 4, 0) != 2)
		return fail("not two are ready");
	for (int i = 0; i < 2; i++)
		if (events[i].data.u32 == 1 ||
		    events[i].events != (events[i].data.u32 ? EPOLLIN | EPOLLRDHUP | EPOLLHUP : EPOLLIN))
			return fail("events %#x of %u", events[i].events, events[i].data.u32);
	if (recv_sequence(full[1], 0, 10, 0) || close(closed[1]) || send_sequence(quiet[0], 0, 1))
		return fail("the pairs");
	if (epoll_wait(epoll, events, 4, 0) != 1 || events[0].data.u32 != 1 || events[0].events != EPOLLIN)
		return fail("it watches something else");

	pass();
	return 0;
}
