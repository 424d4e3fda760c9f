#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A stream pair whose other end is outside the tree is refused, and works on";

/* Echoes until the test is gone. */
static void echo(int fd)
{
	unsigned char buf[64];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, n, MSG_NOSIGNAL) != n)
			break;
	_exit(0);
}

int main(int argc, char **argv)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return 1;
	/* The test proper is a grandchild of this process; this child is none of its. */
	if (!fork()) {
		dup2(pair[1], 0);
		close_range(1, ~0U, 0);
		echo(0);
	}
	close(pair[1]);
	test_init(argc, argv);

	test_daemon();
	test_waitsig();

	if (send_sequence(pair[0], 0, 40))
		return fail("send");
	if (poll(&(struct pollfd){ .fd = pair[0], .events = POLLIN }, 1, 20000) != 1)
		return fail("no answer");
	if (recv_sequence(pair[0], 0, 40, 0))
		return fail("wrong answer");

	pass();
	return 0;
}
