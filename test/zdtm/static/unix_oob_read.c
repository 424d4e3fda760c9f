#include "zdtmtst.h"
#include "unixprop.h"
#include "taskutil.h"

const char *test_doc = "What is queued before and behind an out-of-band byte that was received";

int main(int argc, char **argv)
{
	char byte = 0;
	int pair[2];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || send_sequence(pair[0], 0, 5))
		return pr_perror("socketpair");
	if (send(pair[0], "!", 1, MSG_OOB) != 1) {
		skip("unix sockets of this kernel have no MSG_OOB: %m");
		return skipped_test();
	}
	if (send_sequence(pair[0], 5, 7) || recv(pair[1], &byte, 1, MSG_OOB) != 1 || byte != '!')
		return pr_perror("MSG_OOB");

	test_daemon();
	test_waitsig();

	if (recv(pair[1], &byte, 1, MSG_OOB | MSG_DONTWAIT) != -1)
		return fail("the byte is there once more");
	if (recv_sequence(pair[1], 0, 5, MSG_WAITALL) || recv_sequence(pair[1], 5, 7, MSG_WAITALL) ||
	    !is_empty(pair[1]))
		return fail("the other bytes");

	pass();
	return 0;
}
