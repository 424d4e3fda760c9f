#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Descriptors on their way in a stream, each with the byte it was sent with";

int main(int argc, char **argv)
{
	int pair[2], first[2], second[2], third[2], got[3], both[2];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(first) || pipe(second) || pipe(third))
		return pr_perror("socketpair");
	/* Plain bytes before, between and behind; two messages with descriptors at once behind each other. */
	both[0] = second[0];
	both[1] = third[0];
	if (send_sequence(pair[0], 0, 10) || send_right(pair[0], 10, 5, first[0]) ||
	    send_rights(pair[0], 15, 1, both, 2) || send_sequence(pair[0], 16, 20) ||
	    send_right(pair[0], 36, 3000, third[0]) || send_sequence(pair[0], 3036, 7))
		return pr_perror("sendmsg");
	close(first[0]);
	close(second[0]);
	close(third[0]);

	test_daemon();
	test_waitsig();

	/* Without room for descriptors: none must come along. */
	if (recv_sequence(pair[1], 0, 10, MSG_WAITALL))
		return fail("the bytes before");
	if (recv_rights(pair[1], 10, 5, &got[0], 1) || recv_rights(pair[1], 15, 1, got + 1, 2))
		return fail("descriptors in two messages");
	if (recv_sequence(pair[1], 16, 20, MSG_WAITALL))
		return fail("the bytes between");
	if (!carries(first[1], got[0]) || !carries(second[1], got[1]) || !carries(third[1], got[2]))
		return fail("descriptors are others");
	if (recv_rights(pair[1], 36, 3000, &got[0], 1) || !carries(third[1], got[0]))
		return fail("the last descriptor");
	if (recv_sequence(pair[1], 3036, 7, 0) || !is_empty(pair[1]) || option_of(pair[1], SO_PEEK_OFF) != -1)
		return fail("the end of the queue");

	pass();
	return 0;
}
