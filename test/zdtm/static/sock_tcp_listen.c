#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "TCP sockets that listen, over IPv4 and IPv6, with the limit of their backlog";

static const char *const hosts[] = { "127.0.0.1", "::1" };

static unsigned int backlog_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) ? 0 : info.tcpi_sacked;
}

int main(int argc, char **argv)
{
	struct inet_view before[2];
	int fds[2];

	test_init(argc, argv);
	for (int i = 0; i < 2; i++) {
		fds[i] = new_socket(hosts[i], SOCK_STREAM);
		if (bind_to(fds[i], hosts[i], 0) || listen(fds[i], 5 + i))
			return pr_perror("bind, listen");
		before[i] = view_of(fds[i]);
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 2; i++) {
		if (view_differs(&before[i], fds[i], hosts[i]))
			return fail("address or state of %s", hosts[i]);
		if (backlog_of(fds[i]) != 5u + i)
			return fail("the backlog of %s became %u", hosts[i], backlog_of(fds[i]));
		if (int_option(fds[i], SOL_SOCKET, SO_REUSEADDR) || int_option(fds[i], SOL_SOCKET, SO_REUSEPORT))
			return fail("%s lets others use its port", hosts[i]);
		if (!listener_accepts(fds[i], hosts[i]))
			return fail("nobody gets through to %s", hosts[i]);
	}
	pass();
	return 0;
}
