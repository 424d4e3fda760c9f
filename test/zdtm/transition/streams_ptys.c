#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>

#include "streams.h"

const char *test_doc =
	"Ptys under load, raw in either direction and by lines: nothing is lost, doubled or out of order";
const char *test_author = "The criu team";

#define DIGITS 20

static int make(struct channel *ch, int to_slave, int canonical)
{
	struct termios settings;
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

	if (master < 0 || grantpt(master) || unlockpt(master))
		return -1;
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || tcgetattr(slave, &settings))
		return -1;
	cfmakeraw(&settings);
	if (canonical)
		settings.c_lflag |= ICANON;
	ch->in = to_slave ? slave : master;
	ch->out = to_slave ? master : slave;
	return tcsetattr(slave, TCSANOW, &settings);
}

static int make_input(struct channel *ch)
{
	return make(ch, 1, 0);
}

static int make_output(struct channel *ch)
{
	return make(ch, 0, 0);
}

static int make_lines(struct channel *ch)
{
	return make(ch, 1, 1) || make_credits(ch);
}

/* A line is "number text\n": the bytes of a number would be control characters. */
static ssize_t send_line(struct channel *ch, const void *message, size_t bytes)
{
	char line[DIGITS + 1 + TEXT_BYTES];
	uint64_t number;
	int digits;

	memcpy(&number, message, sizeof(number));
	digits = snprintf(line, sizeof(line), "%020lu ", number);
	memcpy(line + digits, (const char *)message + sizeof(number), bytes - sizeof(number));
	if (write_data(ch->out, (const unsigned char *)line, digits + bytes - sizeof(number)))
		return -1;
	return bytes;
}

static ssize_t receive_line(struct channel *ch, void *buf, size_t bytes)
{
	char line[4096];
	ssize_t n = read(ch->in, line, sizeof(line));
	uint64_t number;

	(void)bytes;
	if (n < DIGITS + 2 || line[DIGITS] != ' ' || (size_t)n > DIGITS + 1 + TEXT_BYTES)
		return pr_err("%s: a line of %zd bytes\n", ch->what, n), -1;
	number = strtoull(line, NULL, 10);
	memcpy(buf, &number, sizeof(number));
	memcpy((char *)buf + sizeof(number), line + DIGITS + 1, n - DIGITS - 1);
	return n - DIGITS - 1 + sizeof(number);
}

static struct channel channels[] = {
	{ .what = "raw input", .make = make_input, .stream = 1 },
	{ .what = "raw output", .make = make_output, .stream = 1 },
	/* More lines than the line discipline holds can't be dumped: the writer waits for the reader. */
	{ .what = "lines",
	  .make = make_lines,
	  .newline = 1,
	  .max_text = 60,
	  .send = send_line,
	  .receive = receive_line },
};

int main(int argc, char **argv)
{
	return streams_test(argc, argv, channels, ARRAY_SIZE(channels));
}
