#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "SO_PEEK_OFF where a task has set it, and not where it has not";

int main(int argc, char **argv)
{
	int pair[2], plain[2], offset = 0;

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_DGRAM, 0, plain) ||
	    setsockopt(pair[1], SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)))
		return pr_perror("socketpair");
	if (send_sequence(pair[0], 0, 100) || send_sequence(plain[0], 0, 5) || send_sequence(plain[0], 5, 5))
		return pr_perror("send");
	if (recv_sequence(pair[1], 0, 30, MSG_PEEK | MSG_WAITALL))
		return 1;

	test_daemon();
	test_waitsig();

	if (option_of(pair[1], SO_PEEK_OFF) != 30 || option_of(pair[0], SO_PEEK_OFF) != -1)
		return fail("SO_PEEK_OFF is %d", option_of(pair[1], SO_PEEK_OFF));
	if (recv_sequence(pair[1], 30, 70, MSG_PEEK) || recv_sequence(pair[1], 0, 100, 0))
		return fail("content");
	if (option_of(plain[1], SO_PEEK_OFF) != -1 || recv_sequence(plain[1], 0, 5, MSG_PEEK) ||
	    recv_sequence(plain[1], 0, 5, MSG_PEEK) || recv_sequence(plain[1], 0, 5, 0))
		return fail("looking twice does not show the same");

	pass();
	return 0;
}
