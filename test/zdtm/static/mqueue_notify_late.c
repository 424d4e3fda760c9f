#include <signal.h>

#include "mqprop.h"
#include "taskutil.h"

const char *test_doc =
	"A process is told of the message that came into its POSIX queue while it was away; see the hook";

#define NAME "/zdtm-mqueue_notify_late"

static volatile sig_atomic_t usr1;

static void count(int signo)
{
	(void)signo;
	usr1++;
}

int main(int argc, char **argv)
{
	const struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct sigaction action = { .sa_handler = count };
	mqd_t named;

	test_init(argc, argv);

	named = mq_make(NAME, 0, 4);
	if (named < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (sigaction(SIGUSR1, &action, NULL) || mq_notify(named, &event))
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (usr1 != 1)
		return fail("it was told %d times", usr1);
	if (mq_told(named))
		return fail("it is still registered");
	if (mq_differs(named, "meanwhile", 3) || mq_unlink(NAME))
		return 1;

	pass();
	return 0;
}
