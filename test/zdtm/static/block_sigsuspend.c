#include "blocked.h"

const char *test_doc = "A task in sigsuspend(): a signal that only its mask lets through ends it";
const char *test_author = "The criu team";

static volatile int handled;

static void handler(int sig)
{
	handled += sig;
}

static int set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_SETMASK, &set, NULL) || signal(SIGUSR1, handler) == SIG_ERR ||
	    signal(SIGUSR2, handler) == SIG_ERR)
		return pr_perror("signals");
	return 0;
}

static long call(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigsuspend(&set);
}

static int check(void)
{
	sigset_t after;

	/* SIGUSR2 was sent first and had to wait until the old mask was back. */
	if (handled != SIGUSR1 + SIGUSR2)
		return fail("handled %d", handled);
	if (sigprocmask(SIG_SETMASK, NULL, &after))
		return pr_perror("sigprocmask");
	return !sigismember(&after, SIGUSR1) || sigismember(&after, SIGUSR2);
}

static int wake(pid_t child)
{
	if (kill(child, SIGUSR2) || task_wait_state(child, 'S') || kill(child, SIGUSR1))
		return fail("signals");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = set,
		.call = call,
		.check = check,
		.wake = wake,
		.ret = -1,
		.err = EINTR,
	};

	return blocked_main(argc, argv, &test);
}
