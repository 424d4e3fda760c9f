#include <signal.h>
#include <sys/stat.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "A terminal that was opened as /dev/tty, and is used by a session that has none";
const char *test_author = "The criu team";

static struct pty_pair pty;
static int dev_tty;

static int set(void)
{
	if (setsid() < 0 || ioctl(pty.slave, TIOCSCTTY, 0))
		return pr_perror("TIOCSCTTY");
	dev_tty = open("/dev/tty", O_RDWR | O_NONBLOCK);
	if (dev_tty < 0)
		return pr_perror("/dev/tty");
	signal(SIGHUP, SIG_IGN);
	return ioctl(pty.slave, TIOCNOTTY) || close(pty.slave) || close(pty.master);
}

static int check(void)
{
	struct stat st;
	int rdev = 0;

	if (fstat(dev_tty, &st) || st.st_rdev != 0x500 || ioctl(dev_tty, TIOCGDEV, &rdev) || rdev >> 8 != 136)
		return fail("device %#lx leads to %#x", (long)st.st_rdev, rdev);
	if (!(fcntl(dev_tty, F_GETFL) & O_NONBLOCK))
		return fail("flags");
	return pty_expect(dev_tty, "to it", 5) || pty_write(dev_tty, "from it", 7);
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	if (pty_open_pair(&pty) || pty_raw(pty.slave) || pty_write(pty.master, "to it", 5) ||
	    pty_wait_input(pty.slave, 5))
		return 1;
	pid = child_start(set, check);
	if (pid < 0)
		return 1;
	close(pty.slave);

	test_daemon();
	test_waitsig();

	if (child_finish(pid) || pty_expect(pty.master, "from it", 7))
		return 1;
	pass();
	return 0;
}
