#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "TCP connections of which one direction is at its end, the other not: FIN_WAIT2 and CLOSE_WAIT";

int main(int argc, char **argv)
{
	static const char *const hosts[] = { "127.0.0.1", "::1" };
	int ends[2][2];

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		if (tcp_pair(hosts[i], ends[i]) || send_bytes(ends[i][0], 0, 700) || shutdown(ends[i][0], SHUT_WR) ||
		    tcp_wait_state(ends[i][1], TCP_CLOSE_WAIT) || tcp_wait_state(ends[i][0], TCP_FIN_WAIT2) ||
		    send_bytes(ends[i][1], 3, 300))
			return 1;
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		if (tcp_state_of(ends[i][1]) != TCP_CLOSE_WAIT || tcp_state_of(ends[i][0]) != TCP_FIN_WAIT2)
			return fail("states %u and %u", tcp_state_of(ends[i][0]), tcp_state_of(ends[i][1]));
		if (recv_bytes(ends[i][1], 0, 700) || !tcp_is_at_end(ends[i][1]))
			return fail("the direction at its end");
		if (send(ends[i][0], "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE)
			return fail("it can be written to again");
		if (recv_bytes(ends[i][0], 3, 300) || send_bytes(ends[i][1], 4, 400) || recv_bytes(ends[i][0], 4, 400))
			return fail("the other direction");
		close(ends[i][1]);
		if (!tcp_is_at_end(ends[i][0]))
			return fail("the end of the other direction");
	}
	pass();
	return 0;
}
