#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "UDP sockets over IPv4 and IPv6: new, bound, connected";

static const char *const hosts[] = { "127.0.0.1", "::1" };

int main(int argc, char **argv)
{
	int fds[2][3];
	struct inet_view before[2][3];

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 3; k++)
			if ((fds[i][k] = new_socket(hosts[i], SOCK_DGRAM)) < 0)
				return pr_perror("socket");
		if (bind_to(fds[i][0], hosts[i], 0) || connect_to(fds[i][1], hosts[i], port_of(fds[i][0])))
			return pr_perror("bind, connect");
		for (int k = 0; k < 3; k++)
			before[i][k] = view_of(fds[i][k]);
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 3; k++)
			if (view_differs(&before[i][k], fds[i][k], hosts[i]))
				return fail("address or peer of socket %d of %s", k, hosts[i]);
		if (!datagram_arrives(fds[i][1], fds[i][0]))
			return fail("from the connected to the bound one, %s", hosts[i]);
		if (connect_to(fds[i][0], hosts[i], port_of(fds[i][1])) || !datagram_arrives(fds[i][0], fds[i][1]))
			return fail("back, %s", hosts[i]);
		if (connect_to(fds[i][2], hosts[i], port_of(fds[i][0])))
			return fail("the new socket of %s does not connect", hosts[i]);
	}
	pass();
	return 0;
}
