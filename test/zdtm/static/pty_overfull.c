#include "ptyutil.h"

const char *test_doc = "More than a line discipline holds, and would process when there is room, is refused and stays";
const char *test_author = "The criu team";

#define HELD  4095
#define BYTES (HELD + 500)

int main(int argc, char **argv)
{
	static unsigned char input[BYTES];
	struct termios settings;
	struct pty_pair pty;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || pty_raw(pty.slave) || tcgetattr(pty.slave, &settings))
		return 1;
	/* Of all processing, as little as shows. */
	settings.c_iflag |= ISTRIP;
	if (tcsetattr(pty.slave, TCSANOW, &settings))
		return pr_perror("tcsetattr");
	for (size_t i = 0; i < BYTES; i++)
		input[i] = i * 7 & 0x7f;
	if (pty_write(pty.master, input, BYTES) || pty_wait_input(pty.slave, HELD))
		return 1;

	test_daemon();
	test_waitsig();

	if (pty_expect(pty.slave, input, BYTES) || pty_expect_nothing(pty.slave))
		return 1;
	pass();
	return 0;
}
