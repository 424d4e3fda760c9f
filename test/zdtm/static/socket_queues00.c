#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Queued bytes of a stream pair, both directions, many messages and one large one, in order";

int main(int argc, char **argv)
{
	enum { SMALL = 200, LARGE = 16000 };
	size_t queued = 0;
	int pair[2];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		return pr_perror("socketpair");
	for (int i = 0; i < SMALL; queued += i + 1, i++)
		if (send_sequence(pair[0], queued, i + 1))
			return pr_perror("send");
	for (int i = 0; i < 3; queued += LARGE, i++)
		if (send_sequence(pair[0], queued, LARGE))
			return pr_perror("send");
	if (send_sequence(pair[1], 5, 1))
		return pr_perror("send");

	test_daemon();
	test_waitsig();

	/* Bytes after the restore come behind those of before. */
	if (send_sequence(pair[0], queued, 33))
		return fail("send");
	queued += 33;
	for (size_t done = 0, now; done < queued; done += now) {
		now = queued - done < 1000 ? queued - done : 1000;
		if (recv_sequence(pair[1], done, now, MSG_WAITALL))
			return fail("wrong content");
	}
	if (!is_empty(pair[1]) || recv_sequence(pair[0], 5, 1, 0) || !is_empty(pair[0]))
		return fail("wrong end of the content");

	pass();
	return 0;
}
