#include <signal.h>

#include "mqprop.h"
#include "taskutil.h"

const char *test_doc = "Unlinked POSIX queue: waiting messages, and news of the first of the next: refused, and kept";

static volatile sig_atomic_t told;

static void tell(int signo)
{
	(void)signo;
	told++;
}

int main(int argc, char **argv)
{
	const struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct sigaction action = { .sa_handler = tell };
	mqd_t queue;

	test_init(argc, argv);

	queue = mq_make_unlinked("/zdtm-mqueue_notify_full", 0, 4);
	if (queue < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (sigaction(SIGUSR1, &action, NULL) || mq_put(queue, "x", 2) || mq_notify(queue, &event))
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (told || mq_differs(queue, "x", 2) || told || mq_put(queue, "y", 1) || told != 1 ||
	    mq_differs(queue, "y", 1))
		return fail("it was told %d times", (int)told);

	pass();
	return 0;
}
