#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "A pty as a login has it: what was echoed and written stays as it was processed, once";
const char *test_author = "The criu team";

static struct pty_pair pty;

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (pty_open_pair(&pty) || pty_write(pty.slave, "prompt\n$ ", 9) || pty_write(pty.master, "ls\tx\rpart", 9) ||
	    pty_wait_input(pty.slave, 5))
		return 1;

	test_daemon();
	test_waitsig();

	if (pty_expect(pty.master, "prompt\r\n$ ls\tx\r\npart", 20) || pty_expect_nothing(pty.master))
		return 1;
	if (pty_expect_line(pty.slave, "ls\tx\n", 5) || pty_write(pty.master, "\177y\r", 3) ||
	    pty_expect_line(pty.slave, "pary\n", 5) || pty_expect(pty.master, "\b \by\r\n", 6))
		return 1;
	pass();
	return 0;
}
