#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A descriptor sent on a connection nobody has accepted is refused, and arrives when it is";

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(addr);
	int listener, client, server, ends[2], got;

	test_init(argc, argv);

	listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	client = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr.sun_family)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &bytes) ||
	    connect(client, (struct sockaddr *)&addr, bytes) || pipe(ends) || send_right(client, 0, 1, ends[0]))
		return pr_perror("connect");
	close(ends[0]);

	test_daemon();
	test_waitsig();

	server = accept(listener, NULL, NULL);
	got = server < 0 ? -1 : recv_right(server, 0, 1);
	if (got < 0 || !carries(ends[1], got) || talk(server, client))
		return fail("the connection");

	pass();
	return 0;
}
