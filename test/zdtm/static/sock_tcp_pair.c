#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "TCP connections with both ends in the tree, over IPv4 and IPv6, with bytes on their way";

static const char *const hosts[] = { "127.0.0.1", "::1" };

int main(int argc, char **argv)
{
	struct inet_view before[2][2];
	int ends[2][2];

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		if (tcp_pair(hosts[i], ends[i]))
			return 1;
		if (send_bytes(ends[i][0], 0, 30000) || recv_bytes(ends[i][1], 0, 10000) ||
		    send_bytes(ends[i][1], 5, 77))
			return 1;
		for (int k = 0; k < 2; k++)
			before[i][k] = view_of(ends[i][k]);
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++)
			if (view_differs(&before[i][k], ends[i][k], hosts[i]))
				return fail("addresses or state of end %d", k);
		if (recv_bytes(ends[i][1], 10000, 20000) || recv_bytes(ends[i][0], 5, 77))
			return fail("bytes that were on their way");
		if (!tcp_is_empty(ends[i][0]) || !tcp_is_empty(ends[i][1]))
			return fail("there is more than was sent");
		if (tcp_talk(ends[i][0], ends[i][1]))
			return fail("the connection of %s is dead", hosts[i]);
		close(ends[i][0]);
		if (!tcp_is_at_end(ends[i][1]))
			return fail("its end does not arrive");
	}
	pass();
	return 0;
}
