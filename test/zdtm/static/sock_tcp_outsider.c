#include "zdtmtst.h"
#include "tcpoutsider.h"

const char *test_doc = "A TCP connection with a process outside the tree, both sending all the time: no byte is lost";

#ifndef HOST
#define HOST "127.0.0.1"
#endif

int main(int argc, char **argv)
{
	struct stream stream = { .fd = new_socket(HOST, SOCK_STREAM) };
	struct pollfd ready;
	uint64_t before;
	int port;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			test_init(argc, argv);
	port = outsider_start(HOST, 0);
	if (port < 0)
		return 1;
	test_init(argc, argv);
	if (connect_to(stream.fd, HOST, port))
		return pr_perror("connect");
	while (stream.received < 100000)
		if (stream_send(&stream, 5000) || stream_recv(&stream, 0, NULL))
			return pr_err("no stream\n");

	test_daemon();
	ready = (struct pollfd){ .fd = stream.fd, .events = POLLIN };
	while (test_go()) {
		poll(&ready, 1, 10);
		if (stream_send(&stream, 1 + stream.received % 7000) || stream_recv(&stream, 0, NULL))
			return fail("after %lu bytes received", (unsigned long)stream.received);
	}

	before = stream.received;
	while (stream.received < before + 50000 && poll(&ready, 1, 60000) == 1)
		if (stream_recv(&stream, 0, NULL))
			return fail("it does not go on");
	if (stream.received < before + 50000)
		return fail("the outsider has stopped");
	if (!outsider_got_all(&stream))
		return fail("the outsider lacks bytes");
	pass();
	return 0;
}
