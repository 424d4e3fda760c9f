#include <sys/epoll.h>
#include <sys/wait.h>

#include "zdtmtst.h"

const char *test_doc = "An epoll target that only a task outside the tree has open is refused";

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 7 };
	int efd, p[2], hold[2];
	pid_t outsider;
	char c;

	test_init(argc, argv);

	efd = epoll_create1(0);
	if (efd < 0 || pipe(p) || pipe(hold) || epoll_ctl(efd, EPOLL_CTL_ADD, p[0], &event))
		return pr_perror("epoll");
	/* An orphan in a session of its own is not in the tree. */
	outsider = fork();
	if (outsider < 0)
		return pr_perror("fork");
	if (!outsider) {
		close(hold[1]);
		if (fork())
			_exit(0);
		setsid();
		close(efd);
		close(p[1]);
		_exit(read(hold[0], &c, 1) != 0);
	}
	if (waitpid(outsider, NULL, 0) != outsider)
		return pr_perror("waitpid");
	close(p[0]);
	close(hold[0]);

	test_daemon();
	test_waitsig();

	if (write(p[1], "x", 1) != 1 || epoll_wait(efd, &event, 1, 1000) != 1 || event.data.u64 != 7)
		return fail("the event does not arrive");

	pass();
	return 0;
}
