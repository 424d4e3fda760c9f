#include <net/if.h>
#include <sched.h>

#include "zdtmtst.h"
#include "udpprop.h"

const char *test_doc = "Waiting datagrams from senders outside, at addresses this machine does not have; their headers";

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif

#define TTL 33
#define TOS 0x10

/* From an address that is not of this machine. */
static int send_foreign(struct expected *expected, const char *from, const char *ip, int port, int number, size_t bytes)
{
	const int v6 = strchr(from, ':') != NULL, level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int fd = new_socket(from, SOCK_DGRAM), err;
	union inetprop_addr name;

	if (set_option(fd, level, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1) || bind_to(fd, from, 53) ||
	    set_option(fd, level, v6 ? IPV6_UNICAST_HOPS : IP_TTL, TTL) ||
	    set_option(fd, level, v6 ? IPV6_TCLASS : IP_TOS, TOS))
		return pr_perror("a socket bound to %s", from), -1;
	name = name_of(fd);
	expect(expected, &name, number, bytes);
	err = send_datagram(fd, ip, port, number, bytes);
	close(fd);
	return err;
}

/* TTL, TOS and destination of the first, which stays. */
static int header_is(int fd, const char *to)
{
	char control[512];
	struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };
	int ttl = -1, tos = -1, here = 0;
	union inetprop_addr addr;

	addr_of(&addr, to, 0);
	if (recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT) < 0)
		return pr_perror("recvmsg"), 0;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		const struct in_pktinfo *to4 = (void *)CMSG_DATA(cmsg);
		const struct in6_pktinfo *to6 = (void *)CMSG_DATA(cmsg);
		const int v6 = cmsg->cmsg_level == IPPROTO_IPV6;

		if (cmsg->cmsg_type == (v6 ? IPV6_PKTINFO : IP_PKTINFO))
			here = v6 ? !memcmp(&to6->ipi6_addr, &addr.v6.sin6_addr, 16)
				  : to4->ipi_addr.s_addr == addr.v4.sin_addr.s_addr;
		if (cmsg->cmsg_type == (v6 ? IPV6_HOPLIMIT : IP_TTL))
			memcpy(&ttl, CMSG_DATA(cmsg), sizeof(ttl));
		if (cmsg->cmsg_type == (v6 ? IPV6_TCLASS : IP_TOS))
			tos = *CMSG_DATA(cmsg);
	}
	if (ttl == TTL && tos == TOS && here)
		return 1;
	pr_err("TTL %d, TOS %d, %sfor %s\n", ttl, tos, here ? "" : "not ", to);
	return 0;
}

static int ask_for_headers(int fd, int v6)
{
	if (v6)
		return set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1) ||
		       set_option(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1) ||
		       set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	return set_option(fd, IPPROTO_IP, IP_PKTINFO, 1) || set_option(fd, IPPROTO_IP, IP_RECVTTL, 1) ||
	       set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
}

int main(int argc, char **argv)
{
	static struct expected at4, at6, at_both;
	int fd4 = new_socket("127.0.0.1", SOCK_DGRAM), fd6 = new_socket("::1", SOCK_DGRAM),
	    both = new_socket("::1", SOCK_DGRAM), raw;
	struct pollfd copies;
	union inetprop_addr mapped;

	test_init(argc, argv);
	/* It would get a copy of whatever is sent. */
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	copies = (struct pollfd){ .fd = raw, .events = POLLIN };
	if (raw < 0 || bind_to(fd4, "0.0.0.0", 0) || bind_to(fd6, "::", 0) || bind_to(both, "::", 0) ||
	    ask_for_headers(fd4, 0) || ask_for_headers(fd6, 1))
		return pr_perror("sockets");
	if (send_foreign(&at4, "10.9.8.7", "127.0.0.2", port_of(fd4), 0, 100) ||
	    send_foreign(&at4, "8.8.8.8", "127.0.0.1", port_of(fd4), 1, 0) ||
	    send_foreign(&at4, "8.8.4.4", "127.0.0.1", port_of(fd4), 2, DATAGRAM_MAX) ||
	    send_foreign(&at6, "2001:db8::9", "::1", port_of(fd6), 3, 100) ||
	    send_foreign(&at6, "2001:db8::a", "::1", port_of(fd6), 4, 65507) ||
	    send_foreign(&at_both, "2001:db8::b", "::1", port_of(both), 5, 0) ||
	    send_foreign(&at_both, "8.8.8.8", "127.0.0.1", port_of(both), 6, 10))
		return 1;
	addr_of(&mapped, "::ffff:8.8.8.8", 53);
	at_both.all[1].from = mapped;
	close(raw);
	raw = copies.fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);

	test_daemon();
	test_waitsig();

	if (!header_is(fd4, "127.0.0.2") || !header_is(fd6, "::1"))
		return fail("headers");
	if (recv_all_expected(&at4, fd4))
		return fail("IPv4");
	if (recv_all_expected(&at6, fd6))
		return fail("IPv6");
	if (recv_all_expected(&at_both, both))
		return fail("both");
	if (poll(&copies, 1, 0))
		return fail("a raw socket got a copy");
	pass();
	return 0;
}
