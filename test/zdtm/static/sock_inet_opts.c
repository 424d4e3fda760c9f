#include <linux/in6.h>
#include <linux/udp.h>

#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "Options of IP, IPv6, TCP and UDP, those that were set and those that were not";

static const struct {
	int family, type, level, name, value;
} options[] = {
	{ AF_INET, SOCK_STREAM, SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ AF_INET, SOCK_STREAM, SOL_SOCKET, SO_RCVBUF, 90000 },
	{ AF_INET, SOCK_STREAM, SOL_SOCKET, SO_OOBINLINE, 1 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_NODELAY, 1 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_CORK, 1 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPCNT, 3 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPIDLE, 44 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_KEEPINTVL, 5 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_SYNCNT, 2 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_LINGER2, 7 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345 },
	{ AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_MAXSEG, 900 },
	{ AF_INET, SOCK_STREAM, IPPROTO_IP, IP_TOS, 0x10 },
	{ AF_INET, SOCK_STREAM, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TTL, 9 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_PKTINFO, 1 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVERR, 1 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_RECVTTL, 1 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_TTL, 4 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_MULTICAST_LOOP, 0 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_FREEBIND, 1 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDP, UDP_SEGMENT, 1000 },
	{ AF_INET, SOCK_DGRAM, IPPROTO_UDP, UDP_GRO, 1 },
	{ AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_BROADCAST, 1 },
	{ AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_NO_CHECK, 1 },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 5 },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 6 },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_TCLASS, 0x20 },
	{ AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_RECVTCLASS, 1 },
	{ AF_INET6, SOCK_STREAM, IPPROTO_IPV6, IPV6_V6ONLY, 1 },
	{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096 },
};
#define N_OPTIONS (sizeof(options) / sizeof(*options))

/* Of each kind one socket with the options, and one without. */
static int fds[2][2][2];

static int *fd_of(int i, int changed)
{
	return &fds[options[i].family == AF_INET6][options[i].type == SOCK_DGRAM][changed];
}

int main(int argc, char **argv)
{
	int before[N_OPTIONS][2];

	test_init(argc, argv);
	for (int changed = 0; changed < 2; changed++)
		for (int type = 0; type < 2; type++) {
			fds[0][type][changed] = socket(AF_INET, type ? SOCK_DGRAM : SOCK_STREAM, 0);
			fds[1][type][changed] = socket(AF_INET6, type ? SOCK_DGRAM : SOCK_STREAM, 0);
		}
	for (unsigned int i = 0; i < N_OPTIONS; i++) {
		if (set_option(*fd_of(i, 1), options[i].level, options[i].name, options[i].value))
			return pr_perror("option %d of level %d", options[i].name, options[i].level);
		for (int k = 0; k < 2; k++)
			before[i][k] = int_option(*fd_of(i, k), options[i].level, options[i].name);
		if (before[i][0] == before[i][1])
			return pr_err("option %d of level %d is %d anyway\n", options[i].name, options[i].level,
				      before[i][0]);
	}

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < N_OPTIONS; i++)
		for (int k = 0; k < 2; k++) {
			int now = int_option(*fd_of(i, k), options[i].level, options[i].name);

			if (now != before[i][k])
				return fail("option %d of level %d: %d became %d", options[i].name, options[i].level,
					    before[i][k], now);
		}
	pass();
	return 0;
}
