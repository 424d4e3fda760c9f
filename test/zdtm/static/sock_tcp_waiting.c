#include <signal.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "A connection that nobody has accepted is refused, and can be accepted afterwards";

int main(int argc, char **argv)
{
	int listener = new_socket("127.0.0.1", SOCK_STREAM), server;
	pid_t client;
	char buf[8];

	test_init(argc, argv);
	if (bind_to(listener, "127.0.0.1", 0) || listen(listener, 3))
		return pr_perror("listen");
	client = test_fork();
	if (!client) {
		int fd = new_socket("127.0.0.1", SOCK_STREAM);

		setsid();
		if (connect_to(fd, "127.0.0.1", port_of(listener)) || send(fd, "hello", 5, 0) != 5)
			_exit(1);
		test_waitsig();
		_exit(recv(fd, buf, 2, MSG_WAITALL) != 2);
	}
	if (poll(&(struct pollfd){ .fd = listener, .events = POLLIN }, 1, 10000) != 1)
		return pr_err("nobody connects\n");

	test_daemon();
	test_waitsig();

	server = accept(listener, NULL, NULL);
	if (server < 0 || recv(server, buf, 5, MSG_WAITALL) != 5 || memcmp(buf, "hello", 5))
		return fail("it can't be accepted");
	kill(client, SIGTERM);
	if (send(server, "ok", 2, 0) != 2 || waitpid(client, NULL, 0) != client)
		return fail("the client is gone");
	pass();
	return 0;
}
