#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A closed end: what it sent is there, then the end; unread bytes are an error once";

int main(int argc, char **argv)
{
	int stream[2], seqpacket[2], dgram[2], reset[2];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, stream) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seqpacket) ||
	    socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram) || socketpair(AF_UNIX, SOCK_STREAM, 0, reset))
		return pr_perror("socketpair");
	if (send_sequence(stream[1], 0, 700) || send_sequence(seqpacket[1], 0, 10) ||
	    send_sequence(seqpacket[1], 10, 20) || send_sequence(dgram[1], 0, 10) || send_sequence(dgram[1], 10, 20) ||
	    send_sequence(reset[1], 0, 5) || send_sequence(reset[0], 0, 5))
		return pr_perror("send");
	close(stream[1]);
	close(seqpacket[1]);
	close(dgram[1]);
	close(reset[1]);

	test_daemon();
	test_waitsig();

	if (recv_sequence(stream[0], 0, 700, 0) || !is_at_end(stream[0]))
		return fail("stream");
	if (send_sequence(stream[0], 0, 1) != -1 || errno != EPIPE)
		return fail("stream: somebody has the other end");
	if (recv_sequence(seqpacket[0], 0, 10, 0) || recv_sequence(seqpacket[0], 10, 20, 0) || !is_at_end(seqpacket[0]))
		return fail("seqpacket");
	if (recv_sequence(dgram[0], 0, 10, 0) || recv_sequence(dgram[0], 10, 20, 0) || !is_empty(dgram[0]))
		return fail("dgram");
	if (send_sequence(dgram[0], 0, 1) != -1 || errno != ECONNREFUSED)
		return fail("dgram: somebody has the other end");
	if (recv_sequence(reset[0], 0, 5, 0) || option_of(reset[0], SO_ERROR) != ECONNRESET || !is_at_end(reset[0]))
		return fail("the error of unread bytes");

	pass();
	return 0;
}
