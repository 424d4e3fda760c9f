#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <string.h>

#include "zdtmtst.h"
#include "taskutil.h"

const char *test_doc = "POSIX message queues, with a name and without, are refused, and keep messages and notification";

#define NAME "/zdtm-unsupported_mqueue"

static int make(mqd_t *ret)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 64 };

	*ret = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
	if (*ret < 0)
		return -1;
	return mq_send(*ret, "low", 3, 1) || mq_send(*ret, "high", 4, 9) ? -1 : 0;
}

static int differs(mqd_t queue, const char *text, unsigned int priority)
{
	char buf[64];
	unsigned int found;
	ssize_t n = mq_receive(queue, buf, sizeof(buf), &found);

	return n != (ssize_t)strlen(text) || memcmp(buf, text, n) || found != priority;
}

int main(int argc, char **argv)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	const struct timespec patience = { .tv_sec = 20 };
	sigset_t usr1;
	mqd_t unlinked, named, empty;

	test_init(argc, argv);

	if (make(&unlinked)) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	if (mq_unlink(NAME) || make(&named) || sigprocmask(SIG_BLOCK, &usr1, NULL))
		return pr_perror("mq_open");
	empty = mq_open(NAME "2", O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
	if (empty < 0 || mq_unlink(NAME "2") || mq_notify(empty, &event))
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (differs(unlinked, "high", 9) || differs(unlinked, "low", 1) || differs(named, "high", 9) ||
	    differs(named, "low", 1))
		return fail("messages");
	if (mq_send(empty, "x", 1, 0) || sigtimedwait(&usr1, NULL, &patience) != SIGUSR1)
		return fail("notification");
	if (mq_unlink(NAME))
		return fail("name");

	pass();
	return 0;
}
