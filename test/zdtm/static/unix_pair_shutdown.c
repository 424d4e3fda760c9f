#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Directions that were shut down stay so, the others work, queued bytes are there";

int main(int argc, char **argv)
{
	int wr[2], rd[2], both[2], dgram[2];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, wr) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, rd) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, both) || socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram))
		return pr_perror("socketpair");
	if (send_sequence(wr[0], 0, 99) || send_sequence(rd[1], 0, 10) || send_sequence(rd[1], 10, 10) ||
	    send_sequence(both[0], 0, 77) || send_sequence(dgram[0], 0, 55))
		return pr_perror("send");
	if (shutdown(wr[0], SHUT_WR) || shutdown(rd[0], SHUT_RD) || shutdown(both[0], SHUT_RDWR) ||
	    shutdown(dgram[0], SHUT_WR))
		return pr_perror("shutdown");

	test_daemon();
	test_waitsig();

	if (recv_sequence(wr[1], 0, 99, 0) || !is_at_end(wr[1]))
		return fail("SHUT_WR: the other end");
	if (send_sequence(wr[0], 0, 1) != -1 || errno != EPIPE)
		return fail("SHUT_WR: can be written to");
	if (send_sequence(wr[1], 0, 20) || recv_sequence(wr[0], 0, 20, 0) || !is_empty(wr[0]))
		return fail("SHUT_WR: the other direction");
	if (recv_sequence(rd[0], 0, 10, 0) || recv_sequence(rd[0], 10, 10, 0) || !is_at_end(rd[0]))
		return fail("SHUT_RD: content");
	if (send_sequence(rd[1], 0, 1) != -1 || errno != EPIPE)
		return fail("SHUT_RD: the other end can be written to");
	if (send_sequence(rd[0], 0, 20) || recv_sequence(rd[1], 0, 20, 0))
		return fail("SHUT_RD: the other direction");
	if (recv_sequence(both[1], 0, 77, 0) || !is_at_end(both[1]) || !is_at_end(both[0]))
		return fail("SHUT_RDWR");
	if (recv_sequence(dgram[1], 0, 55, 0) || send_sequence(dgram[0], 0, 1) != -1 || errno != EPIPE)
		return fail("datagrams, SHUT_WR");
	if (send_sequence(dgram[1], 0, 20) || recv_sequence(dgram[0], 0, 20, 0))
		return fail("datagrams: the other direction");

	pass();
	return 0;
}
