#include <signal.h>

#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "A session with a terminal: foreground group, background group, keys that send signals";
const char *test_author = "The criu team";

static struct pty_pair pty;
static volatile sig_atomic_t ints, hups, winches;

/* What the foreground group, the background group and the leader have got. */
static struct {
	pid_t front, back;
	int got[3][3];
} * shared;

static void count(int signo)
{
	ints += signo == SIGINT;
	hups += signo == SIGHUP || signo == SIGCONT || signo == SIGTTOU || signo == SIGTTIN;
	winches += signo == SIGWINCH;
}

static int catch_all(void)
{
	static const int signos[] = { SIGINT, SIGHUP, SIGCONT, SIGTTOU, SIGTTIN, SIGWINCH };

	for (size_t i = 0; i < ARRAY_SIZE(signos); i++)
		if (signal(signos[i], count) == SIG_ERR)
			return pr_perror("signal");
	return 0;
}

static int tell(int who)
{
	shared->got[who][0] = ints;
	shared->got[who][1] = hups;
	shared->got[who][2] = winches;
	return 0;
}

static int set_group(void)
{
	return setpgid(0, 0) || catch_all();
}

static int check_front(void)
{
	/* ^C and the new size were sent before. */
	for (int ms = 0; ms < PTY_PATIENCE_MS && (!ints || !winches); ms++)
		usleep(1000);
	tell(0);
	if (tcgetpgrp(pty.slave) != getpid())
		return fail("foreground is %d", tcgetpgrp(pty.slave));
	/* What came before ^C was flushed by it. */
	return pty_expect_line(pty.slave, "x\n", 2);
}

static int check_back(void)
{
	return tell(1);
}

static int set_leader(void)
{
	if (setsid() < 0 || ioctl(pty.slave, TIOCSCTTY, 0) || catch_all())
		return pr_perror("session");
	shared->front = child_start(set_group, check_front);
	shared->back = child_start(set_group, check_back);
	if (shared->front < 0 || shared->back < 0)
		return 1;
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(pty.slave, shared->front))
		return pr_perror("tcsetpgrp");
	return signal(SIGTTOU, count) == SIG_ERR;
}

static int check_leader(void)
{
	int err = child_finish(shared->front);

	err |= child_finish(shared->back);
	tell(2);
	return err || tcgetsid(pty.slave) != getpid() ? fail("session %d", tcgetsid(pty.slave)) : 0;
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 11, .ws_col = 12 };
	pid_t leader;

	test_init(argc, argv);
	shared = shared_alloc(sizeof(*shared));
	if (!shared || pty_open_pair(&pty) || pty_lines(pty.slave) || ioctl(pty.slave, TIOCSWINSZ, &size))
		return 1;
	leader = child_start(set_leader, check_leader);
	if (leader < 0)
		return 1;

	test_daemon();
	test_waitsig();

	size.ws_row++;
	if (tcgetsid(pty.master) != leader || tcgetpgrp(pty.master) != shared->front)
		return fail("session %d, foreground %d", tcgetsid(pty.master), tcgetpgrp(pty.master));
	if (pty_write(pty.master, "x\003x\n", 4) || ioctl(pty.master, TIOCSWINSZ, &size) || child_finish(leader))
		return 1;
	for (int i = 0; i < 3; i++)
		if (shared->got[i][0] != (i == 0) || shared->got[i][1] || shared->got[i][2] != (i == 0))
			return fail("task %d got SIGINT %d times, SIGWINCH %d, others %d", i, shared->got[i][0],
				    shared->got[i][2], shared->got[i][1]);
	pass();
	return 0;
}
