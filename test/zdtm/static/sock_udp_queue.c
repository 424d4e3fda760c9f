#include "zdtmtst.h"
#include "inetprop.h"

const char *test_doc = "Datagrams that were not received are lost, which is told, and the next ones arrive";

int main(int argc, char **argv)
{
	int to = new_socket("127.0.0.1", SOCK_DGRAM), from = new_socket("127.0.0.1", SOCK_DGRAM);
	char buf[16];

	test_init(argc, argv);
	if (bind_to(to, "127.0.0.1", 0) || connect_to(from, "127.0.0.1", port_of(to)) ||
	    send(from, "1234", 4, 0) != 4 || send(from, "56", 2, 0) != 2)
		return pr_perror("send");

	test_daemon();
	test_waitsig();

	if (recv(to, buf, sizeof(buf), MSG_DONTWAIT) != -1 || errno != EAGAIN)
		return fail("something is queued");
	if (!datagram_arrives(from, to))
		return fail("nothing arrives any more");
	pass();
	return 0;
}
