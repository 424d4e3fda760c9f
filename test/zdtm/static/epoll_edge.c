#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "Edge-triggered targets: what was not reported is, and what comes later is, whatever was before";

enum target { UNREPORTED, REPORTED, EMPTY, STREAM, EVENT, NR };

static int efd, fds[NR][2];

/* Targets reported by one call, as a mask. Those that nothing happened to may be reported once more. */
static int reported(void)
{
	struct epoll_event events[NR];
	int n = epoll_wait(efd, events, NR, 0), mask = 0;

	for (int i = 0; i < n; i++)
		mask |= 1 << events[i].data.u32;
	return n < 0 ? -1 : mask;
}

static int add(int target)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u32 = target };

	return epoll_ctl(efd, EPOLL_CTL_ADD, fds[target][0], &event);
}

int main(int argc, char **argv)
{
	const uint64_t one = 1;
	int got;

	test_init(argc, argv);

	efd = epoll_create1(0);
	if (efd < 0 || pipe(fds[UNREPORTED]) || pipe(fds[REPORTED]) || pipe(fds[EMPTY]) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, fds[STREAM]))
		return pr_perror("pipe");
	fds[EVENT][0] = fds[EVENT][1] = eventfd(0, 0);
	for (int i = 0; i < NR; i++)
		if (add(i))
			return pr_perror("epoll_ctl");
	if (write(fds[REPORTED][1], "x", 1) != 1 || reported() != 1 << REPORTED || reported())
		return pr_perror("an edge");
	if (write(fds[UNREPORTED][1], "x", 1) != 1 || write(fds[STREAM][1], "x", 1) != 1)
		return pr_perror("write");

	test_daemon();
	test_waitsig();

	got = reported();
	if (!(got & 1 << UNREPORTED) || !(got & 1 << STREAM))
		return fail("an edge from before is lost: %#x", got);
	if (got & (1 << EMPTY | 1 << EVENT))
		return fail("an edge that never was: %#x", got);
	if (reported())
		return fail("an edge is reported again and again");
	if (write(fds[REPORTED][1], "y", 1) != 1 || reported() != 1 << REPORTED)
		return fail("more for one that was not emptied");
	if (write(fds[EMPTY][1], "y", 1) != 1 || reported() != 1 << EMPTY || reported())
		return fail("a pipe");
	if (write(fds[STREAM][1], "y", 1) != 1 || reported() != 1 << STREAM || reported())
		return fail("a socket");
	if (write(fds[EVENT][1], &one, sizeof(one)) != sizeof(one) || reported() != 1 << EVENT || reported())
		return fail("an eventfd");

	pass();
	return 0;
}
