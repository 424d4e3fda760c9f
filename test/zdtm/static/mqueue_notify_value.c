#include <signal.h>

#include "mqprop.h"
#include "taskutil.h"

const char *test_doc = "A value that a handler gets with the news of a message in a POSIX queue is refused, and comes";

static volatile sig_atomic_t found;

static void tell(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	found = info->si_value.sival_int;
}

int main(int argc, char **argv)
{
	const struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGUSR1,
		.sigev_value.sival_int = 42,
	};
	const struct sigaction action = { .sa_sigaction = tell, .sa_flags = SA_SIGINFO };
	mqd_t queue;

	test_init(argc, argv);

	queue = mq_make_unlinked("/zdtm-mqueue_notify_value", 0, 4);
	if (queue < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (sigaction(SIGUSR1, &action, NULL) || mq_notify(queue, &event))
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (mq_put(queue, "x", 0) || found != 42)
		return fail("the value was %d", (int)found);

	pass();
	return 0;
}
