#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc = "Without --tcp-established a TCP connection is refused, and works on";

int main(int argc, char **argv)
{
	int ends[2];

	test_init(argc, argv);
	if (tcp_pair("127.0.0.1", ends) || send_bytes(ends[0], 0, 5000))
		return 1;

	test_daemon();
	test_waitsig();

	if (recv_bytes(ends[1], 0, 5000) || tcp_talk(ends[0], ends[1]))
		return fail("the connection was harmed");
	pass();
	return 0;
}
