#include <fcntl.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "taskutil.h"
#include "tcpsilent.h"

const char *test_doc =
	"Sockets that are connecting, to somebody who does not answer yet, go on trying, and get through";

static int echoes(int fd)
{
	char buf[8];

	return send(fd, "hello", 5, MSG_NOSIGNAL) == 5 && recv(fd, buf, 5, MSG_WAITALL) == 5 &&
	       !memcmp(buf, "hello", 5);
}

/* Its call to connect lasts until it has got through. */
static pid_t start_blocked(const char *ip, int port)
{
	pid_t pid = test_fork();

	if (pid)
		return pid;
	int fd = new_socket(ip, SOCK_STREAM);

	if (connect_to(fd, ip, port)) {
		pr_perror("the call that waits");
		_exit(1);
	}
	_exit(echoes(fd) ? 0 : 2);
}

static int start_connecting(const char *ip, int port)
{
	int fd = new_socket(ip, SOCK_STREAM);

	if (fcntl(fd, F_SETFL, O_NONBLOCK) || !connect_to(fd, ip, port) || errno != EINPROGRESS ||
	    tcp_state_of(fd) != TCP_SYN_SENT)
		return pr_perror("connect to %s, state %u", ip, tcp_state_of(fd)), -1;
	return fd;
}

static int gets_through(int fd, int port)
{
	struct pollfd out = { .fd = fd, .events = POLLOUT };

	if (poll(&out, 1, 60000) != 1 || out.revents != POLLOUT || int_option(fd, SOL_SOCKET, SO_ERROR) ||
	    tcp_state_of(fd) != TCP_ESTABLISHED || port_of(fd) != port || fcntl(fd, F_GETFL) != (O_RDWR | O_NONBLOCK)) {
		pr_perror("state %u, events %#x, port %d", tcp_state_of(fd), out.revents, port_of(fd));
		return 0;
	}
	return !fcntl(fd, F_SETFL, 0) && echoes(fd) && !close(fd);
}

int main(int argc, char **argv)
{
	static const char *const ips[] = { "127.0.0.1", "::1" };
	int ports[2], fds[2], own_ports[2], status;
	pid_t blocked;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			test_init(argc, argv);
	for (int i = 0; i < 2; i++)
		if ((ports[i] = start_server(ips[i])) < 0)
			return 1;
	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		if ((fds[i] = start_connecting(ips[i], ports[i])) < 0)
			return 1;
		own_ports[i] = port_of(fds[i]);
	}
	blocked = start_blocked(ips[0], ports[0]);
	if (task_wait_state(blocked, 'S'))
		return 1;

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		struct pollfd out = { .fd = fds[i], .events = POLLOUT };

		if (tcp_state_of(fds[i]) != TCP_SYN_SENT || poll(&out, 1, 0))
			return fail("state %u, events %#x", tcp_state_of(fds[i]), out.revents);
		if (tell_server(ips[i], ports[i]))
			return fail("the server of %s can't be told", ips[i]);
		if (!gets_through(fds[i], own_ports[i]))
			return fail("connecting to %s", ips[i]);
	}
	if (waitpid(blocked, &status, 0) != blocked || status)
		return fail("the call that waits: status %#x", status);
	pass();
	return 0;
}
