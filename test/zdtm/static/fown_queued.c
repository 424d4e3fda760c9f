#include <poll.h>
#include <sys/ioctl.h>

#include "fown_pairs.h"

const char *test_doc =
	"What waits in a channel whose ends have O_ASYNC causes no signal, neither when it is looked at nor when it "
	"is put back";
const char *test_author = "The criu team";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static int make_fifo(int fds[2])
{
	return make_fifo_in(dirname, fds);
}

static const struct {
	const char *what;
	int (*make)(int fds[2]);
	const char *text; /* waits while the tree is dumped */
	const char *rest; /* comes afterwards */
} kinds[] = {
	{ "pipe", make_pipe, "queued", "x" },
	{ "fifo", make_fifo, "queued", "x" },
	{ "stream", make_stream, "queued", "x" },
	{ "datagram", make_dgram, "queued", "x" },
	{ "packets", make_seqpacket, "queued", "x" },
	{ "UDP", make_udp, "queued", "x" },
	{ "UDP over IPv6", make_udp6, "queued", "x" },
	{ "TCP", make_tcp, "queued", "x" },
	{ "pty, lines", make_pty, "one\ntwo\n", "x\n" },
	{ "pty, edited line", make_pty, "hal", "f\n" },
	{ "raw pty", make_raw_pty, "queued", "x" },
	{ "output of a pty", make_pty_output, "queued", "x" },
};
#define NR ARRAY_SIZE(kinds)

static int fds[NR][2];

/* Until it is there: what a pty's worker tells of it later would be held against criu. */
static int queue(unsigned int i)
{
	struct pollfd input = { .fd = fds[i][0], .events = POLLIN };
	struct pollfd echo = { .fd = fds[i][1], .events = POLLIN };
	size_t n = strlen(kinds[i].text);

	if (write(fds[i][1], kinds[i].text, n) != (ssize_t)n)
		return pr_perror("%s: write", kinds[i].what);
	if (kinds[i].make == make_pty && poll(&echo, 1, 10000) != 1)
		return pr_err("%s: no echo\n", kinds[i].what);
	if (!strchr(kinds[i].rest, '\n') || strchr(kinds[i].text, '\n'))
		if (poll(&input, 1, 10000) != 1)
			return pr_err("%s: nothing to read\n", kinds[i].what);
	return 0;
}

static int check(unsigned int i)
{
	const char *what = kinds[i].what;
	char wanted[64], found[64];
	size_t have = 0;
	ssize_t n;

	if (check_owner(what, fds[i][0]) || check_owner(what, fds[i][1]))
		return 1;
	if (write(fds[i][1], kinds[i].rest, strlen(kinds[i].rest)) <= 0)
		return pr_perror("%s: write", what);
	if (!wait_told(fds[i][0]))
		return fail("%s: no signal", what);
	ssprintf(wanted, "%s%s", kinds[i].text, kinds[i].rest);
	while (have < strlen(wanted)) {
		n = read(fds[i][0], found + have, sizeof(found) - have);
		if (n <= 0)
			return fail("%s: only %zu bytes could be read", what, have);
		have += n;
	}
	return have == strlen(wanted) && !memcmp(found, wanted, have) ? 0 : fail("%s: other bytes were read", what);
}

int main(int argc, char **argv)
{
	unsigned int i;

	test_init(argc, argv);

	if (catch_signals())
		return 1;
	for (i = 0; i < NR; i++)
		if (kinds[i].make(fds[i]) || queue(i))
			return pr_perror("%s", kinds[i].what);
	/* The kernel's workers have told whom they had to tell. */
	usleep(100000);
	for (i = 0; i < NR; i++)
		if (own(fds[i][0]) || own(fds[i][1]))
			return pr_perror("%s", kinds[i].what);

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++)
		if (check_untold(kinds[i].what, fds[i][0]) || check_untold(kinds[i].what, fds[i][1]))
			return 1;
	for (i = 0; i < NR; i++)
		if (check(i))
			return 1;
	if (told_of_others)
		return fail("%d signals of no descriptor that is known", (int)told_of_others);
	remove_fifo_in(dirname);
	pass();
	return 0;
}
