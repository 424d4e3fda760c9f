#include <signal.h>

#include "mqprop.h"
#include "taskutil.h"

const char *test_doc =
	"News of messages in a POSIX queue that are waited for with sigwaitinfo(2) are refused, and come";

int main(int argc, char **argv)
{
	const struct timespec patience = { .tv_sec = 20 };
	const struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL,
		.sigev_signo = SIGUSR1,
		.sigev_value.sival_int = 42,
	};
	siginfo_t info;
	sigset_t usr1;
	mqd_t queue;

	test_init(argc, argv);

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	queue = mq_make_unlinked("/zdtm-mqueue_notify_wait", 0, 4);
	if (queue < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (sigprocmask(SIG_BLOCK, &usr1, NULL) || mq_notify(queue, &event))
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (mq_put(queue, "x", 0) || sigtimedwait(&usr1, &info, &patience) != SIGUSR1 || info.si_code != SI_MESGQ ||
	    info.si_value.sival_int != 42)
		return fail("it was not told");

	pass();
	return 0;
}
