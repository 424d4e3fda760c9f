#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A background job that its terminal has stopped for reading stays stopped and reads later";
const char *test_author = "The criu team";

static int slave;
static pid_t *reader;

static int __attribute__((noreturn)) background(void)
{
	char c = 0;

	signal(SIGTERM, SIG_DFL);
	/* The first attempt is stopped by SIGTTIN and tried again when continued. */
	if (read(slave, &c, 1) != 1 || c != 'x')
		_exit(1);
	_exit(0);
}

/* The leader of the terminal's session, in the foreground. */
static int set(void)
{
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0))
		return pr_perror("TIOCSCTTY");
	*reader = test_fork();
	if (*reader < 0)
		return pr_perror("fork");
	if (!*reader) {
		setpgid(0, 0);
		*reader = getpid();
		background();
	}
	while (getpgid(*reader) != *reader)
		usleep(1000);
	return task_wait_state(*reader, 'T');
}

static int check(void)
{
	int status;

	if (waitpid(*reader, &status, WUNTRACED) != *reader || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTTIN)
		return fail("wait status %#x instead of stopped by SIGTTIN", status);
	/* Another one in the foreground is what lets it read. */
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(slave, *reader) || kill(*reader, SIGCONT))
		return fail("foreground");
	return child_reap(*reader);
}

int main(int argc, char **argv)
{
	int master;
	pid_t pid;

	test_init(argc, argv);
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		return pr_perror("posix_openpt");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	reader = shared_alloc(sizeof(*reader));
	if (slave < 0 || !reader)
		return pr_perror("open %s", ptsname(master));
	pid = child_start(set, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (task_state(*reader) != 'T')
		return fail("the background job is not stopped but %c", task_state(*reader));
	if (write(master, "x\n", 2) != 2)
		return fail("write to the terminal");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
