#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "A unix socket pair is refused, and works on with what was in it";

int main(int argc, char **argv)
{
	int pair[2];
	char buf[16];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || write(pair[0], "queued", 6) != 6)
		return pr_perror("socketpair");

	test_daemon();
	test_waitsig();

	if (read(pair[1], buf, sizeof(buf)) != 6 || memcmp(buf, "queued", 6))
		return fail("content changed");
	if (write(pair[1], "back", 4) != 4 || read(pair[0], buf, sizeof(buf)) != 4)
		return fail("the ends are not connected");

	pass();
	return 0;
}
