#include "fown_pairs.h"

const char *test_doc =
	"Signal owner, signal and O_ASYNC of sockets, ptys, fifos and others: the signal comes, and only when "
	"something has";
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
	const char *text;
} kinds[] = {
	{ "stream", make_stream, "x" },	  { "datagram", make_dgram, "x" }, { "UDP", make_udp, "x" },
	{ "netlink", make_netlink, "x" }, { "pty", make_pty, "x\n" },	   { "fifo", make_fifo, "x" },
};
#define NR ARRAY_SIZE(kinds)

static int fds[NR][2];

static int check(unsigned int i)
{
	const char *what = kinds[i].what;
	char byte;

	if (check_owner(what, fds[i][0]))
		return 1;
	if (write(fds[i][1], kinds[i].text, strlen(kinds[i].text)) <= 0)
		return pr_perror("%s: write", what);
	if (!wait_told(fds[i][0]))
		return fail("%s: no signal", what);
	if (read(fds[i][0], &byte, 1) != 1)
		return pr_perror("%s: read", what);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int i;

	test_init(argc, argv);

	if (catch_signals())
		return 1;
	for (i = 0; i < NR; i++)
		if (kinds[i].make(fds[i]) || own(fds[i][0]))
			return pr_perror("%s", kinds[i].what);

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++)
		if (check_untold(kinds[i].what, fds[i][0]))
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
