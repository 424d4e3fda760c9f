#include <linux/if_packet.h>
#include <linux/in6.h>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "Every option of every kind of socket that takes another value than that of a new socket";

/* By number: the C library does not know them all, and a kernel may have more by now. */
#define N_NAMES	   100
#define MOST_BYTES 64

static struct sock {
	const char *what;
	int family, type, protocol, fd;
} socks[] = {
	{ "TCP", AF_INET, SOCK_STREAM, 0, -1 },
	{ "TCP over IPv6", AF_INET6, SOCK_STREAM, 0, -1 },
	{ "UDP", AF_INET, SOCK_DGRAM, 0, -1 },
	{ "UDP over IPv6", AF_INET6, SOCK_DGRAM, 0, -1 },
	{ "raw", AF_INET, SOCK_RAW, 253, -1 },
	{ "raw IPv6", AF_INET6, SOCK_RAW, 253, -1 },
	{ "unix stream", AF_UNIX, SOCK_STREAM, 0, -1 },
	{ "unix datagram", AF_UNIX, SOCK_DGRAM, 0, -1 },
	{ "unix packet", AF_UNIX, SOCK_SEQPACKET, 0, -1 },
	{ "netlink", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, -1 },
	{ "packet", AF_PACKET, SOCK_RAW, 0, -1 },
};
#define NR ((int)ARRAY_SIZE(socks))

static const int levels[] = { SOL_SOCKET,  IPPROTO_IP,	IPPROTO_IPV6, IPPROTO_TCP,
			      IPPROTO_UDP, IPPROTO_RAW, SOL_PACKET,   270 /* SOL_NETLINK */ };
#define N_LEVELS ((int)ARRAY_SIZE(levels))

/* What is not set here, or not looked at. */
static const struct {
	int level, name;
	const char *why;
} excepted[] = {
	{ SOL_SOCKET, SO_ERROR, "reading takes it away" },
	{ SOL_SOCKET, 26 /* SO_ATTACH_FILTER */, "takes a pointer" },
	{ SOL_SOCKET, 27 /* SO_DETACH_FILTER */, "takes nothing" },
	{ SOL_SOCKET, 49 /* SO_INCOMING_CPU */, "every packet changes it" },
	{ SOL_SOCKET, 50 /* SO_ATTACH_BPF */, "takes a program" },
	{ SOL_SOCKET, 51 /* SO_ATTACH_REUSEPORT_CBPF */, "takes a pointer" },
	{ SOL_SOCKET, 52 /* SO_ATTACH_REUSEPORT_EBPF */, "takes a program" },
	{ SOL_SOCKET, 55 /* SO_MEMINFO */, "is a count" },
	{ SOL_SOCKET, 56 /* SO_INCOMING_NAPI_ID */, "every packet changes it" },
	{ SOL_SOCKET, 57 /* SO_COOKIE */, "is that of the socket" },
	{ SOL_SOCKET, 76 /* SO_PASSPIDFD */, "is refused" },
	{ SOL_SOCKET, 83 /* SO_PASSRIGHTS */, "is refused" },
	{ IPPROTO_IP, IP_OPTIONS, "changes the length of segments" },
	{ IPPROTO_IP, 9 /* IP_PKTOPTIONS */, "is what was received" },
	{ IPPROTO_IPV6, IPV6_ADDRFORM, "makes another socket of it" },
	{ IPPROTO_TCP, TCP_INFO, "is a count" },
	{ IPPROTO_TCP, TCP_QUICKACK, "every segment changes it" },
	{ IPPROTO_TCP, TCP_REPAIR, "is not the program's" },
	{ IPPROTO_TCP, TCP_REPAIR_QUEUE, "is not the program's" },
	{ IPPROTO_TCP, TCP_QUEUE_SEQ, "is not the program's" },
	{ IPPROTO_TCP, TCP_REPAIR_OPTIONS, "is not the program's" },
	{ IPPROTO_TCP, TCP_REPAIR_WINDOW, "is not the program's" },
	{ IPPROTO_TCP, TCP_TIMESTAMP, "is a clock" },
	{ IPPROTO_UDP, UDP_CORK, "is refused" },
	{ SOL_PACKET, PACKET_RX_RING, "is refused" },
	{ SOL_PACKET, PACKET_TX_RING, "is refused" },
	{ SOL_PACKET, PACKET_STATISTICS, "reading takes it away" },
	{ SOL_PACKET, PACKET_FANOUT, "needs a protocol" },
};

struct value {
	int good;
	socklen_t n;
	unsigned char bytes[MOST_BYTES];
};

static struct value values[NR][N_LEVELS][N_NAMES];

/* Options for multicast don't concern TCP, though it takes them. */
static int is_void(const struct sock *sock, int level, int name)
{
	return sock->type == SOCK_STREAM &&
	       ((level == IPPROTO_IP && (name == IP_MULTICAST_LOOP || name == 49 /* IP_MULTICAST_ALL */)) ||
		(level == IPPROTO_IPV6 && (name == IPV6_MULTICAST_LOOP || name == IPV6_MULTICAST_ALL)));
}

static int is_excepted(const struct sock *sock, int level, int name)
{
	for (size_t i = 0; i < ARRAY_SIZE(excepted); i++)
		if (excepted[i].level == level && excepted[i].name == name)
			return 1;
	return is_void(sock, level, name);
}

static void get(const struct sock *sock, int level, int name, struct value *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->n = sizeof(ret->bytes);
	if (!is_excepted(sock, level, name))
		ret->good = !getsockopt(sock->fd, level, name, ret->bytes, &ret->n);
	/* Nothing is queued: how far somebody has looked does not count, but that he looks. */
	if (level == SOL_SOCKET && name == SO_PEEK_OFF && *(int *)ret->bytes > 0)
		memset(ret->bytes, 0, sizeof(int));
}

/* Any other value will do. */
static int change(const struct sock *sock, int level, int name)
{
	static const int tries[] = { 1, 0, 2, 3, 5, 7, 16, 64, 1000, 5000, 65536, -1 };
	struct value before, now;

	get(sock, level, name, &before);
	if (!before.good)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		setsockopt(sock->fd, level, name, &tries[i], sizeof(tries[i]));
		get(sock, level, name, &now);
		if (memcmp(&now, &before, sizeof(now)))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int changed = 0, lost = 0;

	test_init(argc, argv);

	for (struct sock *sock = socks; sock < socks + NR; sock++) {
		sock->fd = socket(sock->family, sock->type, sock->protocol);
		if (sock->fd < 0)
			return pr_perror("%s", sock->what);
		for (int l = 0; l < N_LEVELS; l++)
			for (int name = 0; name < N_NAMES; name++)
				changed += change(sock, levels[l], name);
	}
	/* Some change others. */
	for (int i = 0; i < NR; i++)
		for (int l = 0; l < N_LEVELS; l++)
			for (int name = 0; name < N_NAMES; name++)
				get(&socks[i], levels[l], name, &values[i][l][name]);
	if (changed < 300)
		return pr_err("only %d options can be changed\n", changed);

	test_daemon();
	test_waitsig();

	for (int i = 0; i < NR; i++)
		for (int l = 0; l < N_LEVELS; l++)
			for (int name = 0; name < N_NAMES; name++) {
				const struct value *was = &values[i][l][name];
				struct value now;

				get(&socks[i], levels[l], name, &now);
				if (!memcmp(&now, was, sizeof(now)))
					continue;
				lost++;
				pr_err("%s: option %d of level %d was %d, is %d\n", socks[i].what, name, levels[l],
				       *(int *)was->bytes, *(int *)now.bytes);
			}
	if (lost)
		return fail("%d of %d options are lost", lost, changed);
	pass();
	return 0;
}
