#include "blocked.h"

const char *test_doc = "A task in pause() stays there until a handler has run";
const char *test_author = "The criu team";

static volatile int handled;

static void handler(int sig)
{
	handled = sig;
}

static int set(void)
{
	return signal(SIGUSR1, handler) == SIG_ERR;
}

static long call(void)
{
	return pause();
}

static int check(void)
{
	return handled != SIGUSR1;
}

static int wake(pid_t child)
{
	return kill(child, SIGUSR1);
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
