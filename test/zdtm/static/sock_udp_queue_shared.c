#include <net/if.h>

#include "zdtmtst.h"
#include "udpprop.h"

const char *test_doc = "Datagrams come back to exactly the UDP socket they waited at, whoever has its port or group";

#define N     4
#define GROUP "239.1.2.3"

/* What waits at @fd, without taking it; only datagrams with content. */
static int look(struct expected *expected, int fd, const union inetprop_addr *from)
{
	unsigned char buf[200];
	ssize_t n;

	if (set_option(fd, SOL_SOCKET, SO_PEEK_OFF, 0))
		return -1;
	while ((n = recv(fd, buf, sizeof(buf), MSG_PEEK | MSG_DONTWAIT)) > 0)
		expect(expected, from, n - 1, n);
	return set_option(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
}

/* A group of sockets with one port; the last one is connected to somebody else. */
static int start_port(int fds[N], int sender, int friend, struct expected *expected)
{
	const union inetprop_addr name = name_of(sender), friend_name = name_of(friend);
	int port = 0, total = 0;

	for (int i = 0; i < N; i++) {
		fds[i] = new_socket("127.0.0.1", SOCK_DGRAM);
		if (set_option(fds[i], SOL_SOCKET, SO_REUSEPORT, 1) || bind_to(fds[i], "127.0.0.1", port))
			return pr_perror("bind"), -1;
		port = port_of(fds[i]);
	}
	if (connect_to(fds[N - 1], "127.0.0.1", port_of(friend)))
		return pr_perror("connect"), -1;
	/* The kernel chooses one by the sender's port. */
	for (int i = 0; i < 40; i++)
		if (send_datagram(sender, "127.0.0.1", port, i, i + 1))
			return -1;
	for (int i = 0; i < 3; i++)
		if (send_datagram(friend, "127.0.0.1", port, i + 50, i + 51))
			return -1;
	for (int i = 0; i < N; i++) {
		if (look(&expected[i], fds[i], i == N - 1 ? &friend_name : &name))
			return pr_perror("MSG_PEEK"), -1;
		total += expected[i].n;
	}
	return total == 43 && expected[N - 1].n == 3 ? 0 : (pr_err("%d datagrams wait\n", total), -1);
}

/* Members of a group: each has one of its own of every datagram; the last one is no member. */
static int start_group(int fds[N], int sender, struct expected *expected)
{
	const struct ip_mreqn request = { .imr_multiaddr.s_addr = inet_addr(GROUP),
					  .imr_ifindex = if_nametoindex("lo") };
	int port = 0;

	if (setsockopt(sender, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)))
		return pr_perror("IP_MULTICAST_IF"), -1;
	for (int i = 0; i < N; i++) {
		fds[i] = new_socket("127.0.0.1", SOCK_DGRAM);
		if (set_option(fds[i], SOL_SOCKET, SO_REUSEADDR, 1) ||
		    set_option(fds[i], IPPROTO_IP, IP_MULTICAST_ALL, 0) || bind_to(fds[i], "0.0.0.0", port) ||
		    (i < N - 1 && setsockopt(fds[i], IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request))))
			return pr_perror("bind, join"), -1;
		port = port_of(fds[i]);
	}
	for (int i = 0; i < 5; i++)
		if (send_datagram(sender, GROUP, port, i, i + 1))
			return -1;
	for (int i = 0; i < N - 1; i++)
		for (int k = 0; k < 5; k++) {
			const union inetprop_addr name = name_of(sender);

			expect(&expected[i], &name, k, k + 1);
		}
	return 0;
}

int main(int argc, char **argv)
{
	static struct expected of_port[N], of_group[N];
	int ports[N], groups[N], sender = new_socket("127.0.0.1", SOCK_DGRAM),
				 friend = new_socket("127.0.0.1", SOCK_DGRAM);

	test_init(argc, argv);
	if (bind_to(sender, "127.0.0.1", 0) || bind_to(friend, "127.0.0.1", 0))
		return pr_perror("bind");
	if (start_port(ports, sender, friend, of_port) || start_group(groups, sender, of_group))
		return 1;

	test_daemon();
	test_waitsig();

	for (int i = 0; i < N; i++) {
		if (recv_all_expected(&of_port[i], ports[i]))
			return fail("socket %d of a port", i);
		if (recv_all_expected(&of_group[i], groups[i]))
			return fail("socket %d of a group", i);
	}
	/* Does sharing go on? */
	for (int i = 0; i < N; i++)
		if (port_of(ports[i]) != port_of(ports[0]) || port_of(groups[i]) != port_of(groups[0]))
			return fail("ports");
	pass();
	return 0;
}
