#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "mqprop.h"
#include "taskutil.h"
#include "taskutil.h"

const char *test_doc =
	"An unlinked POSIX queue that a process outside the tree has open is refused, and stays one queue";

/* Answers one message and ends. */
static void outsider(mqd_t to, mqd_t from)
{
	int low = to < from ? to : from, high = to < from ? from : to;

	/* Nothing else may tie it to the test: session, parent, descriptors. */
	setsid();
	if (fork())
		_exit(0);
	for (int fd = 0; fd <= high + 1; fd++)
		if (fd == high + 1)
			syscall(SYS_close_range, fd, ~0U, 0);
		else if (fd != low && fd != high)
			close(fd);
	_exit(mq_differs(from, "ask", 1) || mq_put(to, "answer", 2));
}

int main(int argc, char **argv)
{
	mqd_t to, from;
	pid_t pid;

	/* Asked for help it ends here. */
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			test_init(argc, argv);

	/* Before test_init(), which makes the process that is dumped. */
	to = mq_make_unlinked("/zdtm-mqueue_outsider", 0, 4);
	from = mq_make_unlinked("/zdtm-mqueue_outsider", 0, 4);
	pid = to < 0 || from < 0 ? 1 : fork();
	if (!pid)
		outsider(to, from);
	if (pid > 0 && to >= 0 && from >= 0)
		waitpid(pid, NULL, 0);
	test_init(argc, argv);
	if (to < 0 || from < 0 || pid < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	if (mq_put(from, "ask", 1) || mq_differs(to, "answer", 2))
		return fail("the outsider does not answer");

	pass();
	return 0;
}
