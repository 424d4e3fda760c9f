#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Output that ^S has stopped, or tcflow(3) at either end, stays so and goes on again";
const char *test_author = "The criu team";

static struct pty_pair keys, slave, master;

static int can_write(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };

	return poll(&polled, 1, 0) == 1 && (polled.revents & POLLOUT);
}

static int wait_write(int fd, int want)
{
	for (int ms = 0; ms < PTY_PATIENCE_MS; ms++) {
		if (can_write(fd) == want)
			return 0;
		usleep(1000);
	}
	return pr_perror("output is %s", want ? "stopped" : "not stopped");
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (pty_open_pair(&keys) || pty_open_pair(&slave) || pty_open_pair(&master) || pty_raw(slave.slave))
		return 1;
	if (pty_write(keys.slave, "before", 6) || pty_write(keys.master, "\023", 1) || wait_write(keys.slave, 0) ||
	    tcflow(slave.slave, TCOOFF) || tcflow(master.master, TCOOFF))
		return pr_perror("stop");

	test_daemon();
	test_waitsig();

	if (can_write(keys.slave) || can_write(slave.slave) || can_write(master.master))
		return fail("something is not stopped");
	if (!can_write(keys.master) || !can_write(slave.master) || !can_write(master.slave))
		return fail("something else is stopped");
	if (pty_write(keys.master, "\021", 1) || wait_write(keys.slave, 1) || tcflow(slave.slave, TCOON) ||
	    tcflow(master.master, TCOON) || !can_write(slave.slave) || !can_write(master.master))
		return fail("it does not go on");
	if (pty_write(keys.slave, " after", 6) || pty_expect(keys.master, "before after", 12))
		return 1;
	pass();
	return 0;
}
