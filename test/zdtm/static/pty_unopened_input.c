#include "ptyutil.h"

const char *test_doc = "Input for a slave that nobody has opened yet is refused, and is there when it is opened";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	struct pty_pair pty;

	test_init(argc, argv);
	if (pty_open_master(&pty) || pty_write(pty.master, "early\n", 6))
		return 1;

	test_daemon();
	test_waitsig();

	if (pty_open_slave(&pty, O_RDWR) || pty_expect_line(pty.slave, "early\n", 6) || pty_expect_nothing(pty.slave))
		return 1;
	pass();
	return 0;
}
