#include <signal.h>
#include <sys/signalfd.h>

#include "zdtmtst.h"
#include "kids.h"

const char *test_doc = "A signalfd shared with a child: one set for both, and each reads its own signals";

static int fd;

static int read_signal(int want)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return -1;
	return info.ssi_signo == (uint32_t)want ? 0 : 1;
}

static int child_check(void *arg)
{
	(void)arg;
	if (read_signal(0) != -1 || errno != EAGAIN)
		return fail("child: it reads what its parent was sent");
	/* The parent has changed the set by now. */
	if (kill(getpid(), SIGUSR1) || read_signal(0) != -1)
		return fail("child: its set is not the parent's");
	if (kill(getpid(), SIGUSR2) || read_signal(SIGUSR2))
		return fail("child: SIGUSR2 is not read");
	return 0;
}

int main(int argc, char **argv)
{
	sigset_t set, other_set;
	pid_t child;

	test_init(argc, argv);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigemptyset(&other_set);
	sigaddset(&other_set, SIGUSR2);
	if (sigprocmask(SIG_BLOCK, &set, NULL) || sigprocmask(SIG_BLOCK, &other_set, NULL))
		return pr_perror("sigprocmask");
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	if (fd < 0)
		return pr_perror("signalfd");
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || kill(getpid(), SIGUSR1))
		return 1;

	test_daemon();
	test_waitsig();

	if (read_signal(SIGUSR1))
		return fail("the parent's signal is not read");
	if (signalfd(fd, &other_set, 0) != fd)
		return pr_perror("change the set");
	if (kid_finish(child))
		return fail("child");

	pass();
	return 0;
}
