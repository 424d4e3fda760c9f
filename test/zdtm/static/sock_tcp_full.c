#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "A TCP connection full of bytes both ways: received, sent, not yet sent";

int main(int argc, char **argv)
{
	int ends[2], unsent;
	size_t n[2];

	test_init(argc, argv);
	if (tcp_pair("127.0.0.1", ends))
		return 1;
	for (int i = 0; i < 2; i++)
		n[i] = send_until_full(ends[i], 0);
	/* The window of the other end is closed. */
	if (ioctl(ends[0], 0x894B /* SIOCOUTQNSD */, &unsent) || !unsent)
		return pr_err("%d of %zu bytes are not sent yet\n", unsent, n[0]);

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		if (recv_bytes(ends[!i], 0, n[i]))
			return fail("%zu bytes from end %d", n[i], i);
		if (!tcp_is_empty(ends[!i]))
			return fail("more than that");
	}
	if (tcp_talk(ends[0], ends[1]))
		return fail("the connection is dead");
	pass();
	return 0;
}
