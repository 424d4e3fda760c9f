#include <signal.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Two sessions with a terminal each, one of them with no descriptor of it; and a task without";
const char *test_author = "The criu team";

static struct pty_pair first, second;
static pid_t *pids;

/* Opening /dev/tty works only for who has a terminal. */
static int has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR);

	return fd >= 0 ? !close(fd) : 0;
}

static int check_none(void)
{
	return has_terminal() ? fail("it has a terminal") : 0;
}

static int check_one(void)
{
	return has_terminal() ? 0 : fail("it has no terminal");
}

static int set_first(void)
{
	if (setsid() < 0)
		return pr_perror("setsid");
	/* Forked before the leader has a terminal. */
	pids[0] = child_start(NULL, check_none);
	if (pids[0] < 0 || ioctl(first.slave, TIOCSCTTY, 0))
		return pr_perror("TIOCSCTTY");
	pids[1] = child_start(NULL, check_one);
	return pids[1] < 0;
}

static int check_first(void)
{
	if (child_finish(pids[0]) || child_finish(pids[1]) || !has_terminal())
		return fail("first session");
	return tcgetsid(first.slave) != getpid() ? fail("session %d", tcgetsid(first.slave)) : 0;
}

static int set_second(void)
{
	if (setsid() < 0 || ioctl(second.slave, TIOCSCTTY, 0))
		return pr_perror("TIOCSCTTY");
	return close(second.slave) || close(second.master) || close(first.slave) || close(first.master);
}

static int check_second(void)
{
	int fd = open("/dev/tty", O_RDWR);

	return fd < 0 || write(fd, "second", 6) != 6 ? fail("second session") : 0;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	pids = shared_alloc(4 * sizeof(*pids));
	if (!pids || pty_open_pair(&first) || pty_open_pair(&second))
		return 1;
	pids[2] = child_start(set_first, check_first);
	pids[3] = child_start(set_second, check_second);
	if (pids[2] < 0 || pids[3] < 0)
		return 1;
	close(second.slave);

	test_daemon();
	test_waitsig();

	if (tcgetsid(first.master) != pids[2] || tcgetsid(second.master) != pids[3])
		return fail("sessions %d and %d", tcgetsid(first.master), tcgetsid(second.master));
	if (child_finish(pids[2]) || child_finish(pids[3]) || pty_expect(second.master, "second", 6))
		return 1;
	pass();
	return 0;
}
