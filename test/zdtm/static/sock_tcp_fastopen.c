#include <fcntl.h>

#include "zdtmtst.h"
#include "taskutil.h"
#include "tcpsilent.h"

const char *test_doc =
	"A socket that is connecting with data in its SYN (TCP Fast Open) is refused, and gets through afterwards";

/* Of this network namespace, which is the test's own: send data without a cookie. */
static int allow(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_fastopen", O_WRONLY);
	int good = fd >= 0 && write(fd, "5", 1) == 1;

	close(fd);
	return good;
}

int main(int argc, char **argv)
{
	int fd = new_socket("127.0.0.1", SOCK_STREAM), port;
	struct pollfd in = { .fd = fd, .events = POLLIN };
	union inetprop_addr to;
	char buf[8];

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			test_init(argc, argv);
	if ((port = start_server("127.0.0.1")) < 0)
		return 1;
	test_init(argc, argv);
	if (!allow()) {
		skip("tcp_fastopen can't be set");
		return skipped_test();
	}
	if (fcntl(fd, F_SETFL, O_NONBLOCK) ||
	    sendto(fd, "hello", 5, MSG_FASTOPEN, &to.sa, addr_of(&to, "127.0.0.1", port)) != 5)
		return pr_perror("MSG_FASTOPEN");
	if (tcp_state_of(fd) != TCP_SYN_SENT)
		return pr_err("state %u\n", tcp_state_of(fd));

	test_daemon();
	test_waitsig();

	if (tell_server("127.0.0.1", port) || poll(&in, 1, 60000) != 1 || recv(fd, buf, 5, MSG_DONTWAIT) != 5 ||
	    memcmp(buf, "hello", 5))
		return fail("it does not get through");
	pass();
	return 0;
}
