#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc =
	"Sockets on their way: one that only a message leads to, two in each other's queue, one in its own";

int main(int argc, char **argv)
{
	int outer[2], inner[2], deep[2], a[2], b[2], self[2], ends[2], got, got_deep, got_end;

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, outer) || socketpair(AF_UNIX, SOCK_DGRAM, 0, inner) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, deep) || socketpair(AF_UNIX, SOCK_STREAM, 0, a) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, b) || socketpair(AF_UNIX, SOCK_STREAM, 0, self) || pipe(ends))
		return pr_perror("socketpair");

	/* A pipe end in deep[1], which is in inner[1], which is in outer[1]; none of them is open. */
	if (send_right(deep[0], 0, 3, ends[0]) || send_right(inner[0], 3, 3, deep[1]) ||
	    send_right(outer[0], 6, 3, inner[1]))
		return pr_perror("nested");
	/* a[1] waits at b[1], and b[1] at a[1]. */
	if (send_right(a[0], 0, 1, b[1]) || send_right(b[0], 1, 1, a[1]) || send_right(self[0], 2, 1, self[1]))
		return pr_perror("cycle");
	close(ends[0]);
	close(deep[1]);
	close(inner[1]);
	close(b[1]);

	test_daemon();
	test_waitsig();

	got = recv_right(outer[1], 6, 3);
	got_deep = recv_right(got, 3, 3);
	got_end = recv_right(got_deep, 0, 3);
	if (got < 0 || got_deep < 0 || got_end < 0)
		return fail("nested sockets");
	if (!carries(ends[1], got_end) || talk(inner[0], got) || talk(deep[0], got_deep))
		return fail("what was nested is something else");
	got = recv_right(a[1], 0, 1);
	if (got < 0)
		return fail("the first of the cycle");
	got_deep = recv_right(got, 1, 1);
	if (got_deep < 0 || talk(b[0], got) || talk(a[0], got_deep) || !is_empty(a[1]))
		return fail("the second of the cycle");
	got = recv_right(self[1], 2, 1);
	if (got < 0 || talk(self[0], got) || !is_empty(self[1]))
		return fail("a socket in its own queue");

	pass();
	return 0;
}
