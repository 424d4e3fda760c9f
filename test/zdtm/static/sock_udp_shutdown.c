#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "Directions of UDP sockets that are shut down stay so, the others open";

int main(int argc, char **argv)
{
	int peer = new_socket("127.0.0.1", SOCK_DGRAM), reader = new_socket("127.0.0.1", SOCK_DGRAM),
	    writer = new_socket("127.0.0.1", SOCK_DGRAM), alone = new_socket("127.0.0.1", SOCK_DGRAM);
	struct pollfd poll_alone = { .fd = alone, .events = POLLIN };
	struct pollfd poll_writer = { .fd = writer, .events = POLLRDHUP };

	test_init(argc, argv);
	if (bind_to(peer, "127.0.0.1", 0) || bind_to(alone, "127.0.0.1", 0) ||
	    connect_to(reader, "127.0.0.1", port_of(peer)) || connect_to(writer, "127.0.0.1", port_of(peer)))
		return pr_perror("bind, connect");
	if (shutdown(reader, SHUT_WR) || shutdown(writer, SHUT_RD) || !shutdown(alone, SHUT_RDWR) || errno != ENOTCONN)
		return pr_perror("shutdown");

	test_daemon();
	test_waitsig();

	if (send(reader, "x", 1, MSG_NOSIGNAL) != -1 || errno != EPIPE)
		return fail("what was shut down for writing sends");
	if (connect_to(peer, "127.0.0.1", port_of(reader)) || !datagram_arrives(peer, reader))
		return fail("it does not receive any more");
	if (poll(&poll_writer, 1, 0) != 1 || !(poll_writer.revents & POLLRDHUP))
		return fail("what was shut down for reading waits");
	if (connect_to(peer, "127.0.0.1", port_of(writer)) || !datagram_arrives(writer, peer))
		return fail("it does not send any more");
	if (poll(&poll_alone, 1, 0) != 1 || !(poll_alone.revents & POLLHUP))
		return fail("the socket without a peer is open again");
	pass();
	return 0;
}
