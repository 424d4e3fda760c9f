#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Canonical mode: lines, ends of file, quoted newlines, and a line that is still being edited";
const char *test_author = "The criu team";

static struct pty_pair pty;

int main(int argc, char **argv)
{
	/* ^V quotes, ^D ends; the last line gets its end, and one character of it goes, after restore. */
	static const char typed[] = "one\n"
				    "two\026\nhalves\n"
				    "no newline\004"
				    "\004"
				    "\026\004eof \026\021\026\023\026\026\n"
				    "half\026\na lime";

	test_init(argc, argv);
	if (pty_open_pair(&pty) || pty_lines(pty.slave) || pty_write(pty.master, typed, sizeof(typed) - 1) ||
	    pty_wait_input(pty.slave, 4 + 11 + 10 + 9))
		return 1;

	test_daemon();
	test_waitsig();

	if (pty_wait_input(pty.slave, 4 + 11 + 10 + 9) || pty_expect_line(pty.slave, "one\n", 4) ||
	    pty_expect_line(pty.slave, "two\nhalves\n", 11) || pty_expect_line(pty.slave, "no newline", 10) ||
	    pty_expect_line(pty.slave, "", 0) || pty_expect_line(pty.slave, "\004eof \021\023\026\n", 9) ||
	    pty_expect_nothing(pty.slave))
		return 1;
	if (pty_write(pty.master, "\177\177ne\n", 5) || pty_expect_line(pty.slave, "half\na line\n", 12))
		return 1;
	if (pty_expect_nothing(pty.master))
		return fail("something was echoed");
	pass();
	return 0;
}
