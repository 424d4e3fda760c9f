#include <signal.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "A server with its port, and connections on that port whose other ends are in another process";

#define N 3

/* Answers each block that arrives, until the end. */
static void client(int port)
{
	int fds[N], n;

	for (int i = 0; i < N; i++) {
		fds[i] = new_socket("127.0.0.1", SOCK_STREAM);
		if (connect_to(fds[i], "127.0.0.1", port))
			_exit(1);
	}
	for (n = 0;; n++)
		for (int i = 0; i < N; i++) {
			unsigned char buf[100];

			if (recv(fds[i], buf, sizeof(buf), MSG_WAITALL) != sizeof(buf))
				_exit(n < 2);
			if (send(fds[i], buf, sizeof(buf), MSG_NOSIGNAL) != sizeof(buf))
				_exit(1);
		}
}

static int serve(int fds[N], int from)
{
	for (int i = 0; i < N; i++)
		if (send_bytes(fds[i], from + i, 100) || recv_bytes(fds[i], from + i, 100))
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	int listener = new_socket("127.0.0.1", SOCK_STREAM), fds[N], port, status;
	pid_t pid;

	test_init(argc, argv);
	if (bind_to(listener, "127.0.0.1", 0) || listen(listener, 4))
		return pr_perror("listen");
	port = port_of(listener);
	pid = test_fork();
	if (!pid) {
		close(listener);
		client(port);
	}
	for (int i = 0; i < N; i++)
		fds[i] = accept(listener, NULL, NULL);
	if (serve(fds, 0))
		return pr_err("the clients don't answer\n");

	test_daemon();
	test_waitsig();

	if (serve(fds, 1000) || serve(fds, 2000))
		return fail("the clients don't answer");
	for (int i = 0; i < N; i++) {
		if (port_of(fds[i]) != port || int_option(fds[i], SOL_SOCKET, SO_REUSEADDR))
			return fail("port or SO_REUSEADDR of connection %d", i);
		close(fds[i]);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return fail("the client ended with status %d", status);
	if (!listener_accepts(listener, "127.0.0.1"))
		return fail("nobody gets through any more");
	pass();
	return 0;
}
