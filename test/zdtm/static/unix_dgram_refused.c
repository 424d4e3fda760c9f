#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Datagrams at a socket anybody can send to are refused, and stay there";

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(addr);
	int bound, sender;

	test_init(argc, argv);

	bound = socket(AF_UNIX, SOCK_DGRAM, 0);
	sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(bound, (struct sockaddr *)&addr, sizeof(addr.sun_family)) ||
	    getsockname(bound, (struct sockaddr *)&addr, &bytes) || connect(sender, (struct sockaddr *)&addr, bytes) ||
	    send_sequence(sender, 0, 10) || send_sequence(sender, 10, 20))
		return pr_perror("send");

	test_daemon();
	test_waitsig();

	if (recv_sequence(bound, 0, 10, 0) || recv_sequence(bound, 10, 20, 0) || !is_empty(bound))
		return fail("content");

	pass();
	return 0;
}
