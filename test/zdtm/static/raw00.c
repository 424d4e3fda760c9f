#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/ip.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "Raw sockets: protocol, addresses, peer, headers of one's own, filters, and packets arrive";

#define LOCAL_PROTOCOL 253 /* for experiments */

union addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct option {
	int level, name;
};

static const struct option options[] = {
	{ SOL_IP, IP_HDRINCL },	  { SOL_IP, IP_NODEFRAG },	 { SOL_IP, IP_TTL },
	{ SOL_IP, IP_TOS },	  { SOL_IPV6, IPV6_CHECKSUM },	 { SOL_IPV6, IPV6_UNICAST_HOPS },
	{ SOL_RAW, ICMP_FILTER }, { SOL_ICMPV6, ICMPV6_FILTER },
};
#define N_OPTIONS ARRAY_SIZE(options)

static struct sock {
	const char *what;
	int family, protocol;
	bool bound, connected;
	int fd, flags;
	union addr name;
	uint32_t values[N_OPTIONS][8];
} socks[] = {
	{ "ping", AF_INET, IPPROTO_ICMP, true, true },
	{ "own protocol", AF_INET, LOCAL_PROTOCOL, false, false },
	{ "only sends", AF_INET, IPPROTO_RAW, false, false },
	{ "watches TCP", AF_INET, IPPROTO_TCP, true, false },
	{ "ping6", AF_INET6, IPPROTO_ICMPV6, true, true },
	{ "own protocol 6", AF_INET6, LOCAL_PROTOCOL, false, false },
};
#define NR	   ARRAY_SIZE(socks)
#define PING	   (&socks[0])
#define OWN	   (&socks[1])
#define ONLY_SENDS (&socks[2])
#define PING6	   (&socks[4])
#define OWN6	   (&socks[5])

static socklen_t loopback(int family, union addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sa.sa_family = family;
	if (family == AF_INET) {
		ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_addr = in6addr_loopback;
	return sizeof(ret->v6);
}

static int look(struct sock *s)
{
	socklen_t bytes = sizeof(s->name);

	memset(&s->name, 0, sizeof(s->name));
	memset(s->values, 0, sizeof(s->values));
	for (unsigned int i = 0; i < N_OPTIONS; i++) {
		socklen_t value_bytes = sizeof(s->values[i]);

		if (getsockopt(s->fd, options[i].level, options[i].name, s->values[i], &value_bytes))
			memset(s->values[i], 0xff, sizeof(s->values[i]));
	}
	s->flags = fcntl(s->fd, F_GETFL);
	return getsockname(s->fd, &s->name.sa, &bytes);
}

static int set(const struct sock *s, int level, int name, int value)
{
	return setsockopt(s->fd, level, name, &value, sizeof(value));
}

static int open_one(struct sock *s)
{
	union addr addr;
	socklen_t bytes = loopback(s->family, &addr);

	s->fd = socket(s->family, SOCK_RAW | (s->bound ? SOCK_NONBLOCK : 0), s->protocol);
	if (s->fd < 0 || (s->bound && bind(s->fd, &addr.sa, bytes)) ||
	    (s->connected && connect(s->fd, &addr.sa, bytes)))
		return pr_perror("%s", s->what);
	return 0;
}

static int set_up(void)
{
	const struct icmp_filter only_replies = { ~(1U << ICMP_ECHOREPLY) };
	struct icmp6_filter only_replies6;

	memset(&only_replies6, 0xff, sizeof(only_replies6));
	only_replies6.data[ICMPV6_ECHO_REPLY >> 5] &= ~(1U << (ICMPV6_ECHO_REPLY & 31));
	if (setsockopt(PING->fd, SOL_RAW, ICMP_FILTER, &only_replies, sizeof(only_replies)) ||
	    setsockopt(PING6->fd, SOL_ICMPV6, ICMPV6_FILTER, &only_replies6, sizeof(only_replies6)))
		return pr_perror("filters");
	if (set(OWN, SOL_IP, IP_HDRINCL, 1) || set(OWN, SOL_IP, IP_NODEFRAG, 1) || set(PING, SOL_IP, IP_TTL, 7) ||
	    set(PING, SOL_IP, IP_TOS, 8) || set(ONLY_SENDS, SOL_IP, IP_HDRINCL, 0) ||
	    set(PING6, SOL_IPV6, IPV6_UNICAST_HOPS, 9) || set(OWN6, SOL_IPV6, IPV6_CHECKSUM, 2))
		return pr_perror("options");
	for (unsigned int i = 0; i < NR; i++)
		if (look(&socks[i]))
			return pr_perror("%s", socks[i].what);
	return 0;
}

static int changed(const struct sock *was)
{
	struct sock now = *was;

	if (look(&now))
		return pr_perror("%s", was->what);
	if (memcmp(&now.name, &was->name, sizeof(now.name)))
		return fail("%s: another address", was->what);
	if (now.flags != was->flags)
		return fail("%s: flags were %#x, are %#x", was->what, was->flags, now.flags);
	for (unsigned int i = 0; i < N_OPTIONS; i++)
		if (memcmp(now.values[i], was->values[i], sizeof(now.values[i])))
			return fail("%s: option %d of level %d was %#x, is %#x", was->what, options[i].name,
				    options[i].level, was->values[i][0], now.values[i][0]);
	return 0;
}

static ssize_t receive(int fd, char *buf, size_t bytes)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };

	return poll(&poller, 1, 10000) == 1 ? recv(fd, buf, bytes, MSG_DONTWAIT) : -1;
}

/* Connected as it is, it needs no address; the filter lets the answer through and not the question. */
static int ping(const struct sock *s, int request, int reply)
{
	struct icmphdr echo = { .type = (uint8_t)request, .un.echo = { htons(4711), htons(1) } }, *answer;
	const size_t skipped = s->family == AF_INET ? sizeof(struct iphdr) : 0;
	uint8_t packet[256];
	uint32_t sum;

	/* Over all 16-bit words, of which three are not zero. */
	sum = ntohs(echo.un.echo.id) + ntohs(echo.un.echo.sequence) + (request << 8);
	echo.checksum = htons((uint16_t) ~(sum + (sum >> 16)));
	if (send(s->fd, &echo, sizeof(echo), 0) != sizeof(echo))
		return pr_perror("%s: send", s->what);
	if (receive(s->fd, (char *)packet, sizeof(packet)) < (ssize_t)(skipped + sizeof(echo)))
		return fail("%s: no answer", s->what);
	answer = (struct icmphdr *)(packet + skipped);
	if (answer->type != reply || answer->un.echo.id != echo.un.echo.id)
		return fail("%s: message of type %d", s->what, answer->type);
	if (s->family == AF_INET && (((struct iphdr *)packet)->tos & ~3) != 8)
		return fail("%s: TOS %#x", s->what, ((struct iphdr *)packet)->tos);
	return 0;
}

static int write_header(void)
{
	struct {
		struct iphdr ip;
		char text[6];
	} packet = { .ip = { .version = 4, .ihl = 5, .ttl = 3, .protocol = LOCAL_PROTOCOL, .id = htons(815) },
		     "hello" };
	uint8_t got[256];
	union addr to;
	socklen_t bytes = loopback(AF_INET, &to);

	packet.ip.daddr = packet.ip.saddr = to.v4.sin_addr.s_addr;
	if (sendto(OWN->fd, &packet, sizeof(packet), 0, &to.sa, bytes) != sizeof(packet))
		return pr_perror("send with a header");
	if (receive(OWN->fd, (char *)got, sizeof(got)) < (ssize_t)sizeof(packet) ||
	    strcmp((char *)got + sizeof(struct iphdr), "hello") || ((struct iphdr *)got)->id != htons(815))
		return fail("the packet does not arrive as it was sent");
	return 0;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);

	for (unsigned int i = 0; i < NR; i++)
		if (open_one(&socks[i]))
			return 1;
	if (set_up())
		return 1;

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < NR; i++)
		if (changed(&socks[i]))
			return 1;
	if (ping(PING, ICMP_ECHO, ICMP_ECHOREPLY) || ping(PING6, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY) ||
	    write_header())
		return 1;

	pass();
	return 0;
}
