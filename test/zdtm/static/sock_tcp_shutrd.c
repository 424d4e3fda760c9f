#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "An end of a TCP connection that its owner has shut down for reading still writes";

static int at_end(int fd)
{
	struct pollfd in = { .fd = fd, .events = POLLRDHUP };

	return poll(&in, 1, 0) == 1 && (in.revents & POLLRDHUP);
}

int main(int argc, char **argv)
{
	int ends[2];

	test_init(argc, argv);
	if (tcp_pair("127.0.0.1", ends) || shutdown(ends[0], SHUT_RD))
		return pr_perror("shutdown");

	test_daemon();
	test_waitsig();

	if (!at_end(ends[0]) || at_end(ends[1]))
		return fail("at its end: %d %d", at_end(ends[0]), at_end(ends[1]));
	if (tcp_state_of(ends[0]) != TCP_ESTABLISHED || send_bytes(ends[0], 0, 100) || recv_bytes(ends[1], 0, 100))
		return fail("it does not write any more");
	pass();
	return 0;
}
