#include "zdtmtst.h"
#include "tcpprop.h"

#include <sys/epoll.h>

const char *test_doc = "epoll reports a TCP connection for what was unread at the dump, though nothing more arrives";

enum { UNREAD, LOW_WATER, IDLE, CONNS };

static const unsigned int kinds[] = { EPOLLIN, EPOLLIN | EPOLLET };

/* The one end of every connection, told apart by its index. */
static int watch(int conns[CONNS][2], unsigned int events)
{
	int epoll = epoll_create1(0);

	for (int i = 0; i < CONNS; i++) {
		struct epoll_event event = { .events = events, .data.u32 = i };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, conns[i][1], &event))
			return -1;
	}
	return epoll;
}

/* Which of them are reported, as bits. */
static int reported(int epoll)
{
	struct epoll_event events[CONNS + 1];
	int n = epoll_wait(epoll, events, CONNS + 1, 0), bits = 0;

	for (int i = 0; i < n; i++)
		bits |= events[i].events == EPOLLIN ? 1 << events[i].data.u32 : 1 << CONNS;
	return n < 0 ? n : bits;
}

int main(int argc, char **argv)
{
	const int expected = 1 << UNREAD | 1 << LOW_WATER, low = 100;
	int conns[CONNS][2], epolls[2];

	test_init(argc, argv);

	for (int i = 0; i < CONNS; i++)
		if (tcp_pair("127.0.0.1", conns[i]))
			return 1;
	if (setsockopt(conns[LOW_WATER][1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)))
		return pr_perror("SO_RCVLOWAT");
	for (int k = 0; k < 2; k++) {
		epolls[k] = watch(conns, kinds[k]);
		if (epolls[k] < 0)
			return pr_perror("epoll");
	}
	if (send_bytes(conns[UNREAD][0], 0, 1000) || send_bytes(conns[LOW_WATER][0], 0, low))
		return 1;
	for (int k = 0; k < 2; k++)
		if (reported(epolls[k]) != expected)
			return pr_err("not ready\n");

	test_daemon();
	test_waitsig();

	/* Level-triggered it stays so; edge-triggered a restore is an edge, too. */
	for (int k = 0; k < 2; k++)
		for (int times = 0; times < (k ? 1 : 2); times++) {
			int bits = reported(epolls[k]);

			if (bits != expected)
				return fail("events %#x: reported %#x, not %#x", kinds[k], bits, expected);
		}
	if (recv_bytes(conns[UNREAD][1], 0, 1000) || recv_bytes(conns[LOW_WATER][1], 0, low) || reported(epolls[0]))
		return fail("what was unread");
	if (send_bytes(conns[IDLE][0], 0, 1) || reported(epolls[0]) != 1 << IDLE || reported(epolls[1]) != 1 << IDLE)
		return fail("what arrives later is not reported");

	pass();
	return 0;
}
