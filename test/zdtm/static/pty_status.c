#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "A status byte of packet mode that nobody has read yet is refused";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	struct pty_pair pty;
	const int on = 1;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || ioctl(pty.master, TIOCPKT, &on) || tcflush(pty.slave, TCIFLUSH))
		return pr_perror("packet mode");

	test_daemon();
	test_waitsig();

	if (pty_expect_line(pty.master, (char[]){ TIOCPKT_FLUSHREAD }, 1))
		return 1;
	pass();
	return 0;
}
