#include <fcntl.h>

#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc =
	"With --skip-in-flight a connection that waits is reset, one that is not established comes back unconnected";

int main(int argc, char **argv)
{
	int listener = new_socket("127.0.0.1", SOCK_STREAM), waiting = new_socket("127.0.0.1", SOCK_STREAM),
	    begun = new_socket("127.0.0.1", SOCK_STREAM), server;
	struct pollfd in = { .fd = waiting, .events = POLLIN };
	char byte;

	test_init(argc, argv);
	/* One may wait, the next does not get through. */
	if (bind_to(listener, "127.0.0.1", 0) || listen(listener, 0) ||
	    connect_to(waiting, "127.0.0.1", port_of(listener)) || fcntl(begun, F_SETFL, O_NONBLOCK) ||
	    !connect_to(begun, "127.0.0.1", port_of(listener)) || errno != EINPROGRESS)
		return pr_perror("connect");
	if (tcp_state_of(begun) != TCP_SYN_SENT)
		return pr_err("state %u and not SYN_SENT\n", tcp_state_of(begun));

	test_daemon();
	test_waitsig();

	if (poll(&in, 1, 60000) != 1 || recv(waiting, &byte, 1, MSG_DONTWAIT) != -1 || errno != ECONNRESET)
		return fail("the connection that waited is not reset");
	if (tcp_state_of(begun) != TCP_CLOSE)
		return fail("the other one is in state %u", tcp_state_of(begun));
	if (fcntl(begun, F_SETFL, 0) || connect_to(begun, "127.0.0.1", port_of(listener)))
		return fail("it can't connect");
	server = accept(listener, NULL, NULL);
	if (server < 0 || tcp_talk(begun, server))
		return fail("and not talk");
	pass();
	return 0;
}
