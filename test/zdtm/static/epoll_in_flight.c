#include <sys/epoll.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "An epoll target whose number is closed and that only a message leads to";

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 };
	int efd, ends[2], pair[2], number, got;

	test_init(argc, argv);

	efd = epoll_create1(0);
	if (efd < 0 || pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
	    epoll_ctl(efd, EPOLL_CTL_ADD, ends[0], &event) || send_right(pair[0], 0, 1, ends[0]))
		return pr_perror("epoll");
	number = ends[0];
	close(ends[0]);

	test_daemon();
	test_waitsig();

	if (epoll_wait(efd, &event, 1, 0) || write(ends[1], "x", 1) != 1 || epoll_wait(efd, &event, 1, 0) != 1 ||
	    event.data.u64 != 7)
		return fail("the event");
	got = recv_right(pair[1], 0, 1);
	if (got < 0 || dup2(got, number) < 0 || epoll_ctl(efd, EPOLL_CTL_DEL, number, NULL) ||
	    epoll_wait(efd, &event, 1, 0))
		return fail("it is not the description that is watched");

	pass();
	return 0;
}
