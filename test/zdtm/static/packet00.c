#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "Packet sockets: interface, protocol, options, memberships, fanout group, and packets arrive";

#define PROTOCOL     0x88b5 /* for local experiments */
#define FANOUT_GROUP 4711

static struct sock {
	const char *what;
	int type, protocol;
	bool on_lo, fanout;
	int fd;
	struct sockaddr_ll name;
	int options[PACKET_FANOUT_DATA + 3], has[PACKET_FANOUT_DATA + 3];
} socks[] = {
	{ "bound", SOCK_RAW, PROTOCOL, true, false },
	{ "any interface", SOCK_DGRAM, PROTOCOL, false, true },
	{ "same group", SOCK_RAW | SOCK_NONBLOCK, PROTOCOL, false, true },
	{ "only sends", SOCK_DGRAM | SOCK_CLOEXEC, 0, false, false },
};
#define NR	   ARRAY_SIZE(socks)
#define BOUND	   (&socks[0])
#define ONLY_SENDS (&socks[3])

static int look(struct sock *s)
{
	socklen_t bytes = sizeof(s->name);

	for (int i = 1; i < (int)ARRAY_SIZE(s->options); i++) {
		socklen_t option_bytes = sizeof(int);

		/* Numbers of received packets and of what rolled over are not kept. */
		if (i != PACKET_STATISTICS && i != PACKET_ROLLOVER_STATS && i != PACKET_HDRLEN)
			s->has[i] = !getsockopt(s->fd, SOL_PACKET, i, &s->options[i], &option_bytes);
	}
	return getsockname(s->fd, (struct sockaddr *)&s->name, &bytes);
}

static int set(const struct sock *s, int name, int value)
{
	return setsockopt(s->fd, SOL_PACKET, name, &value, sizeof(value));
}

static int open_one(struct sock *s, int lo)
{
	struct sockaddr_ll name = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(s->protocol),
				    .sll_ifindex = s->on_lo ? lo : 0 };

	s->fd = socket(AF_PACKET, s->type, 0);
	if (s->fd < 0 || (s->protocol && bind(s->fd, (struct sockaddr *)&name, sizeof(name))))
		return pr_perror("%s: socket", s->what);
	if (s->fanout && set(s, PACKET_FANOUT, FANOUT_GROUP | PACKET_FANOUT_LB << 16))
		return pr_perror("%s: fanout", s->what);
	return 0;
}

static int set_up_bound(int lo)
{
	struct sock_filter keep[] = { BPF_STMT(BPF_RET | BPF_K, 0xffff) };
	struct sock_fprog program = { .len = 1, .filter = keep };
	struct packet_mreq promiscuous = { .mr_ifindex = lo, .mr_type = PACKET_MR_ALLMULTI };

	return set(BOUND, PACKET_AUXDATA, 1) || set(BOUND, PACKET_ORIGDEV, 1) ||
	       set(BOUND, PACKET_VERSION, TPACKET_V2) || set(BOUND, PACKET_RESERVE, 64) ||
	       set(BOUND, PACKET_COPY_THRESH, 3) || set(BOUND, PACKET_TIMESTAMP, 16) ||
	       set(BOUND, PACKET_QDISC_BYPASS, 1) || set(BOUND, PACKET_IGNORE_OUTGOING, 1) ||
	       setsockopt(BOUND->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) ||
	       setsockopt(BOUND->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) ||
	       setsockopt(BOUND->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int changed(const struct sock *was)
{
	struct sock now = *was;

	if (look(&now))
		return pr_perror("%s", was->what);
	if (now.name.sll_protocol != was->name.sll_protocol || now.name.sll_ifindex != was->name.sll_ifindex)
		return fail("%s: protocol %#x, interface %d", was->what, ntohs(now.name.sll_protocol),
			    now.name.sll_ifindex);
	for (unsigned int i = 0; i < ARRAY_SIZE(was->options); i++)
		if (now.has[i] != was->has[i] || now.options[i] != was->options[i])
			return fail("%s: option %u was %#x, is %#x", was->what, i, was->options[i], now.options[i]);
	return 0;
}

/* Twice it was added, so it can be dropped twice and no more. */
static int memberships_lost(int lo)
{
	struct packet_mreq promiscuous = { .mr_ifindex = lo, .mr_type = PACKET_MR_ALLMULTI };

	for (int i = 0; i < 2; i++)
		if (setsockopt(BOUND->fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &promiscuous, sizeof(promiscuous)))
			return fail("membership %d is lost", i);
	return 0;
}

static int deliver(int lo)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL), .sll_ifindex = lo, .sll_halen = 6
	};
	char frame[2048];
	int got = 0;

	if (sendto(ONLY_SENDS->fd, "hello", 6, 0, (struct sockaddr *)&to, sizeof(to)) != 6)
		return pr_perror("send");
	if (recv(BOUND->fd, frame, sizeof(frame), MSG_DONTWAIT) < 20 || strcmp(frame + ETH_HLEN, "hello"))
		return fail("the packet does not arrive");
	/* Both directions of it go to one of the group, in turns. */
	for (int i = 1; i <= 2; i++)
		while (recv(socks[i].fd, frame, sizeof(frame), MSG_DONTWAIT) > 0)
			got++;
	if (!got)
		return fail("nothing arrives at the group");
	return 0;
}

int main(int argc, char **argv)
{
	int lo;

	test_init(argc, argv);

	lo = if_nametoindex("lo");
	for (unsigned int i = 0; i < NR; i++)
		if (open_one(&socks[i], lo))
			return 1;
	if (set_up_bound(lo))
		return pr_perror("options");
	for (unsigned int i = 0; i < NR; i++)
		if (look(&socks[i]))
			return pr_perror("%s", socks[i].what);

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < NR; i++)
		if (changed(&socks[i]))
			return 1;
	if (deliver(lo) || memberships_lost(lo))
		return 1;

	pass();
	return 0;
}
