#include <sys/socket.h>

#include "streams.h"

const char *test_doc = "Unix sockets of each type under load: no message is lost, doubled or out of order";
const char *test_author = "The criu team";

static int make(struct channel *ch, int type)
{
	int fds[2];

	if (socketpair(AF_UNIX, type, 0, fds))
		return -1;
	ch->in = fds[0];
	ch->out = fds[1];
	return 0;
}

static int make_stream(struct channel *ch)
{
	return make(ch, SOCK_STREAM);
}

static int make_dgram(struct channel *ch)
{
	return make(ch, SOCK_DGRAM);
}

static int make_seqpacket(struct channel *ch)
{
	return make(ch, SOCK_SEQPACKET);
}

static struct channel channels[] = {
	{ .what = "stream", .make = make_stream, .stream = 1 },
	{ .what = "datagrams", .make = make_dgram },
	{ .what = "packets", .make = make_seqpacket },
};

int main(int argc, char **argv)
{
	return streams_test(argc, argv, channels, ARRAY_SIZE(channels));
}
