#include <sys/stat.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Slaves whose master is gone, with two descriptions; its number is not given away";
const char *test_author = "The criu team";

static struct pty_pair pty, live;

int main(int argc, char **argv)
{
	struct pollfd polled;
	struct winsize size;
	struct stat st, new_st;
	int second;
	char c;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || pty_open_pair(&live))
		return 1;
	second = open(pty.name, O_WRONLY | O_NOCTTY);
	if (second < 0 || pty_write(pty.master, "lost\n", 5) || fstat(pty.slave, &st))
		return pr_perror("slave");
	close(pty.master);

	test_daemon();
	test_waitsig();

	polled.fd = pty.slave;
	polled.events = POLLIN;
	if (poll(&polled, 1, 0) != 1 || !(polled.revents & POLLHUP))
		return fail("not hung up: %#x", polled.revents);
	if (read(pty.slave, &c, 1) != 0 || write(second, &c, 1) >= 0 || errno != EIO ||
	    ioctl(second, TIOCGWINSZ, &size) == 0 || errno != EIO)
		return fail("read, write or ioctl of what is hung up");
	if (fstat(pty.slave, &new_st) || st.st_rdev != new_st.st_rdev)
		return fail("device %#lx was %#lx", (long)new_st.st_rdev, (long)st.st_rdev);
	if (!access(pty.name, F_OK))
		return fail("%s is there", pty.name);
	if (pty_write(live.master, "x\n", 2) || pty_expect_line(live.slave, "x\n", 2))
		return 1;
	pass();
	return 0;
}
