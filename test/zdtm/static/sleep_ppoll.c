#include <poll.h>

#include "blocked.h"

const char *test_doc = "A task in ppoll(): its timeout, and its own signal mask afterwards";
const char *test_author = "The criu team";

static sigset_t before;

static int set(void)
{
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	return sigprocmask(SIG_SETMASK, &before, NULL);
}

static long call(void)
{
	struct timespec ts = BLOCKED_TIMESPEC;
	sigset_t during;

	sigemptyset(&during);
	sigaddset(&during, SIGUSR2);
	return ppoll(NULL, 0, &ts, &during);
}

static int check(void)
{
	sigset_t after;

	if (sigprocmask(SIG_SETMASK, NULL, &after))
		return pr_perror("sigprocmask");
	return !sigismember(&after, SIGUSR1) || sigismember(&after, SIGUSR2);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = set,
		.call = call,
		.check = check,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
