#include <signal.h>

#include "mqprop.h"
#include "taskutil.h"

const char *test_doc = "A process is told once of a message in an empty POSIX queue, with and without a name";

#define NAME "/zdtm-mqueue_notify"

static volatile sig_atomic_t usr1, usr2;

static void count(int signo)
{
	if (signo == SIGUSR1)
		usr1++;
	else
		usr2++;
}

int main(int argc, char **argv)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct sigevent none = { .sigev_notify = SIGEV_NONE };
	const struct sigaction action = { .sa_handler = count };
	mqd_t unlinked, named, silent;

	test_init(argc, argv);

	unlinked = mq_make_unlinked(NAME, 0, 4);
	silent = mq_make_unlinked(NAME, 0, 4);
	named = mq_make(NAME, 0, 4);
	if (unlinked < 0 || named < 0 || silent < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (sigaction(SIGUSR1, &action, NULL) || sigaction(SIGUSR2, &action, NULL) || mq_notify(unlinked, &event))
		return pr_perror("mq_notify");
	event.sigev_signo = SIGUSR2;
	if (mq_notify(named, &event) || mq_notify(silent, &none) || mq_told(silent) != getpid())
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (usr1 || usr2)
		return fail("it was told of nothing");
	if (mq_told(unlinked) != getpid() || mq_told(named) != getpid() || mq_told(silent) != getpid())
		return fail("it is not registered any more");
	if (mq_put(unlinked, "x", 0) || usr1 != 1 || usr2 || mq_put(named, "x", 0) || usr2 != 1 ||
	    mq_put(silent, "x", 0))
		return fail("it was told %d and %d times", usr1, usr2);
	if (mq_told(unlinked) || mq_told(named) || mq_told(silent))
		return fail("it is still registered");
	if (mq_unlink(NAME))
		return fail("name");

	pass();
	return 0;
}
