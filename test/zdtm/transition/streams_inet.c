#include <netinet/in.h>
#include <sys/socket.h>

#include "streams.h"

const char *test_doc =
	"TCP and UDP over loopback within the tree, under load: nothing is lost, doubled or out of order";
const char *test_author = "The criu team";

static int make(struct channel *ch, int family, int type)
{
	struct sockaddr_in6 addr6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in addr4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = family == AF_INET ? (struct sockaddr *)&addr4 : (struct sockaddr *)&addr6;
	socklen_t bytes = family == AF_INET ? sizeof(addr4) : sizeof(addr6);
	int listener;

	ch->in = socket(family, type, 0);
	ch->out = socket(family, type, 0);
	if (ch->in < 0 || ch->out < 0 || bind(ch->in, addr, bytes) || (type == SOCK_STREAM && listen(ch->in, 1)) ||
	    getsockname(ch->in, addr, &bytes) || connect(ch->out, addr, bytes))
		return -1;
	/* A receive buffer that is full drops datagrams: the writer waits for the reader. */
	if (type == SOCK_DGRAM)
		return make_credits(ch);
	listener = ch->in;
	ch->in = accept(listener, NULL, NULL);
	return ch->in < 0 || close(listener);
}

static int make_tcp(struct channel *ch)
{
	return make(ch, AF_INET, SOCK_STREAM);
}

static int make_tcp6(struct channel *ch)
{
	return make(ch, AF_INET6, SOCK_STREAM);
}

static int make_udp(struct channel *ch)
{
	return make(ch, AF_INET, SOCK_DGRAM);
}

static int make_udp6(struct channel *ch)
{
	return make(ch, AF_INET6, SOCK_DGRAM);
}

static struct channel channels[] = {
	{ .what = "TCP", .make = make_tcp, .stream = 1 },
	{ .what = "TCP over IPv6", .make = make_tcp6, .stream = 1 },
	{ .what = "UDP", .make = make_udp },
	{ .what = "UDP over IPv6", .make = make_udp6 },
};

int main(int argc, char **argv)
{
	return streams_test(argc, argv, channels, ARRAY_SIZE(channels));
}
