#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "streams.h"

const char *test_doc = "Pipes, a fifo and an eventfd under load: nothing is lost, doubled or out of order";
const char *test_author = "The criu team";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int make_with(struct channel *ch, int flags)
{
	int fds[2];

	if (pipe2(fds, flags))
		return -1;
	ch->in = fds[0];
	ch->out = fds[1];
	return 0;
}

static int make_pipe(struct channel *ch)
{
	return make_with(ch, 0);
}

static int make_packets(struct channel *ch)
{
	return make_with(ch, O_DIRECT);
}

static int make_fifo(struct channel *ch)
{
	if (mkfifo(filename, 0600))
		return -1;
	ch->in = open(filename, O_RDONLY | O_NONBLOCK);
	ch->out = open(filename, O_WRONLY);
	return ch->in < 0 || ch->out < 0 || set_nonblock(ch->in, 0);
}

static int make_eventfd(struct channel *ch)
{
	ch->in = ch->out = eventfd(0, 0);
	return ch->in < 0;
}

/* More than all others together. */
#define LAST_EVENT ((uint64_t)1 << 40)

static int add(struct channel *ch, uint64_t value)
{
	return write(ch->out, &value, sizeof(value)) == sizeof(value) ? 0 : pr_perror("%s: add", ch->what);
}

static int write_events(struct channel *ch)
{
	for (uint64_t number = 0; !futex_get(streams_stop); number++) {
		if (add(ch, 1))
			return 1;
		ch->state->sent = number + 1;
		streams_pause(number, 0);
	}
	return add(ch, LAST_EVENT);
}

/* Only their sum can be told. */
static int read_events(struct channel *ch)
{
	uint64_t value, sum = 0;

	for (uint64_t number = 0; sum < LAST_EVENT; number++) {
		if (read(ch->in, &value, sizeof(value)) != sizeof(value))
			return pr_perror("%s: read", ch->what);
		sum += value;
		ch->state->received = sum % LAST_EVENT;
		streams_pause(number, 1);
	}
	if (sum - LAST_EVENT != ch->state->sent)
		return pr_err("%s: %lu events of %lu\n", ch->what, sum - LAST_EVENT, ch->state->sent);
	return anything_left(ch) ? pr_err("%s: something is left\n", ch->what) : 0;
}

static struct channel channels[] = {
	{ .what = "pipe", .make = make_pipe, .stream = 1 },
	{ .what = "pipe of packets", .make = make_packets },
	{ .what = "fifo", .make = make_fifo, .stream = 1 },
	{ .what = "eventfd", .make = make_eventfd, .writer = write_events, .reader = read_events },
};

int main(int argc, char **argv)
{
	int bad = streams_test(argc, argv, channels, ARRAY_SIZE(channels));

	if (!bad)
		unlink(filename);
	return bad;
}
