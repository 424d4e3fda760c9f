#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Packet mode, exclusive mode of either end, and a locked slave, each on a pty of its own";
const char *test_author = "The criu team";

static struct pty_pair packet, exclusive, master, locked, plain;

static int flag(int fd, unsigned long request)
{
	int value = -1;

	return ioctl(fd, request, &value) ? -1 : value;
}

static int check_flags(const struct pty_pair *pty, int is_packet, int is_exclusive, int is_master, int is_locked)
{
	if (flag(pty->master, TIOCGPKT) != is_packet || flag(pty->slave, TIOCGEXCL) != is_exclusive ||
	    flag(pty->master, TIOCGEXCL) != is_master || flag(pty->master, TIOCGPTLCK) != is_locked)
		return fail("%s: packet %d exclusive %d, of the master %d, locked %d", pty->name,
			    flag(pty->master, TIOCGPKT), flag(pty->slave, TIOCGEXCL), flag(pty->master, TIOCGEXCL),
			    flag(pty->master, TIOCGPTLCK));
	return 0;
}

int main(int argc, char **argv)
{
	const int on = 1;

	test_init(argc, argv);
	if (pty_open_pair(&packet) || pty_open_pair(&exclusive) || pty_open_pair(&master) || pty_open_pair(&locked) ||
	    pty_open_pair(&plain))
		return 1;
	if (ioctl(packet.master, TIOCPKT, &on) || ioctl(exclusive.slave, TIOCEXCL) || ioctl(master.master, TIOCEXCL) ||
	    ioctl(locked.master, TIOCSPTLCK, &on) || pty_write(packet.slave, "out", 3))
		return pr_perror("modes");

	test_daemon();
	test_waitsig();

	if (check_flags(&packet, 1, 0, 0, 0) || check_flags(&exclusive, 0, 1, 0, 0) ||
	    check_flags(&master, 0, 0, 1, 0) || check_flags(&locked, 0, 0, 0, 1) || check_flags(&plain, 0, 0, 0, 0))
		return 1;
	if (pty_expect_line(packet.master, "\0out", 4) || tcflush(packet.slave, TCIFLUSH))
		return 1;
	if (pty_expect_line(packet.master, (char[]){ TIOCPKT_FLUSHREAD }, 1))
		return fail("packet mode tells nothing");
	if (open(exclusive.name, O_RDWR | O_NOCTTY) >= 0 || errno != EBUSY)
		return fail("exclusive mode without effect");
	if (open(locked.name, O_RDWR | O_NOCTTY) >= 0 || errno != EIO)
		return fail("the lock is without effect");
	pass();
	return 0;
}
