#include "zdtmtst.h"
#include "unixprop.h"
#include "taskutil.h"

const char *test_doc = "An out-of-band byte that is queued is refused, and can be received";

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

	test_daemon();
	test_waitsig();

	if (recv(pair[1], &byte, 1, MSG_OOB | MSG_DONTWAIT) != 1 || byte != '!' || recv_sequence(pair[1], 0, 5, 0) ||
	    !is_empty(pair[1]))
		return fail("byte %d, or what was before it", byte);

	pass();
	return 0;
}
