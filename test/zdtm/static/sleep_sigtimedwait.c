#include "blocked.h"

const char *test_doc = "A task in sigtimedwait(): its timeout";
const char *test_author = "The criu team";

static long call(void)
{
	struct timespec ts = BLOCKED_TIMESPEC;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return pr_perror("sigprocmask");
	return sigtimedwait(&set, NULL, &ts);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.ret = -1,
		.err = EAGAIN,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
