#include "ptyutil.h"

const char *test_doc = "Lines and one being edited, together more than a line discipline holds, are refused and stay";
const char *test_author = "The criu team";

#define LINE   2048
#define EDITED 2500

int main(int argc, char **argv)
{
	static char line[LINE], edited[EDITED + 1];
	struct pty_pair pty;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || pty_lines(pty.slave))
		return 1;
	memset(line, 'l', LINE - 1);
	line[LINE - 1] = '\n';
	memset(edited, 'e', EDITED);
	if (pty_write(pty.master, line, LINE) || pty_write(pty.master, edited, EDITED) ||
	    pty_wait_input(pty.slave, LINE))
		return 1;

	test_daemon();
	test_waitsig();

	edited[EDITED] = '\n';
	if (pty_expect_line(pty.slave, line, LINE) || pty_write(pty.master, "\n", 1) ||
	    pty_expect_line(pty.slave, edited, EDITED + 1) || pty_expect_nothing(pty.slave))
		return 1;
	pass();
	return 0;
}
