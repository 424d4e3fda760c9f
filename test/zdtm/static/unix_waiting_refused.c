#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Bytes on a connection nobody has accepted are refused, and are there when it is";

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(addr);
	int listener, client, server;

	test_init(argc, argv);

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr.sun_family)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &bytes) ||
	    connect(client, (struct sockaddr *)&addr, bytes) || send_sequence(client, 0, 10))
		return pr_perror("connect");

	test_daemon();
	test_waitsig();

	server = accept(listener, NULL, NULL);
	if (server < 0 || recv_sequence(server, 0, 10, 0) || talk(server, client))
		return fail("the connection");

	pass();
	return 0;
}
