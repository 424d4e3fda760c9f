#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "With --tcp-close connections end, their sockets are closed; one that listens does not";

int main(int argc, char **argv)
{
	int listener = new_socket("127.0.0.1", SOCK_STREAM), ends[2], i;

	test_init(argc, argv);
	if (tcp_pair("127.0.0.1", ends) || bind_to(listener, "127.0.0.1", 0) || listen(listener, 1) ||
	    set_option(ends[0], IPPROTO_TCP, TCP_KEEPIDLE, 99))
		return pr_perror("setting up");

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++) {
		char byte;

		if (tcp_state_of(ends[i]) != TCP_CLOSE)
			return fail("end %d is in state %u", i, tcp_state_of(ends[i]));
		if (recv(ends[i], &byte, 1, MSG_DONTWAIT) != -1 || errno != ENOTCONN)
			return fail("end %d receives", i);
		if (send(ends[i], "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE)
			return fail("end %d sends", i);
	}
	if (int_option(ends[0], IPPROTO_TCP, TCP_KEEPIDLE) != 99)
		return fail("an option");
	if (!listener_accepts(listener, "127.0.0.1"))
		return fail("nobody gets through");
	pass();
	return 0;
}
