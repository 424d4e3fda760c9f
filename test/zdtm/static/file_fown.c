#include <fcntl.h>
#include <signal.h>

#include "zdtmtst.h"

const char *test_doc = "F_SETOWN and F_SETSIG: owner, kind of owner, signal, and its delivery after restore";

/* A constant, unlike SIGRTMIN; the C library uses lower ones. */
#define RT_SIGNAL 40

static struct owner {
	int type; /* F_OWNER_* */
	int sig;
	int fds[2];
} owners[] = {
	{ F_OWNER_PID, SIGUSR1, { 0 } },
	{ F_OWNER_PGRP, 0, { 0 } },
	{ F_OWNER_TID, RT_SIGNAL, { 0 } },
};
#define NR ARRAY_SIZE(owners)

/* Since the start, so that one too many shows. */
static volatile sig_atomic_t caught[NSIG], caught_fd;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)context;
	caught[sig]++;
	caught_fd = info->si_fd;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	struct f_owner_ex want[NR], have;
	unsigned int i;

	test_init(argc, argv);

	sigemptyset(&act.sa_mask);
	if (sigaction(SIGUSR1, &act, NULL) || sigaction(SIGIO, &act, NULL) || sigaction(RT_SIGNAL, &act, NULL))
		return pr_perror("sigaction");
	for (i = 0; i < NR; i++) {
		want[i].type = owners[i].type;
		want[i].pid = owners[i].type == F_OWNER_PGRP ? getpgrp() : getpid();
		if (pipe(owners[i].fds) || fcntl(owners[i].fds[0], F_SETOWN_EX, &want[i]) ||
		    fcntl(owners[i].fds[0], F_SETSIG, owners[i].sig) ||
		    fcntl(owners[i].fds[0], F_SETFL, O_ASYNC | O_NONBLOCK))
			return pr_perror("owner %u", i);
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++) {
		int sig = owners[i].sig ? owners[i].sig : SIGIO;

		if (fcntl(owners[i].fds[0], F_GETOWN_EX, &have) || have.type != want[i].type || have.pid != want[i].pid)
			return fail("owner %u is %d %d, was %d %d", i, have.type, have.pid, want[i].type, want[i].pid);
		if (fcntl(owners[i].fds[0], F_GETSIG) != owners[i].sig)
			return fail("signal of owner %u is %d", i, fcntl(owners[i].fds[0], F_GETSIG));
		if (!(fcntl(owners[i].fds[0], F_GETFL) & O_ASYNC))
			return fail("owner %u: O_ASYNC is lost", i);
		if (caught[sig])
			return fail("owner %u got signal %d %d times although nothing has come", i, sig,
				    (int)caught[sig]);
		if (write(owners[i].fds[1], "x", 1) != 1)
			return fail("write");
		/* To oneself it arrives before the call returns. */
		if (caught[sig] != 1)
			return fail("owner %u got signal %d %d times", i, sig, (int)caught[sig]);
		if (owners[i].sig && caught_fd != owners[i].fds[0])
			return fail("owner %u: the signal names descriptor %d", i, (int)caught_fd);
	}

	for (i = 0; i < NR; i++) {
		int sig = owners[i].sig ? owners[i].sig : SIGIO;

		if (caught[sig] != 1)
			return fail("signal %d came %d times", sig, (int)caught[sig]);
	}
	pass();
	return 0;
}
