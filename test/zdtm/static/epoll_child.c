#include <sys/epoll.h>

#include "zdtmtst.h"
#include "kids.h"

const char *test_doc = "An epoll target that its task has closed and only a child has, under another number";

static int efd, p[2], other;

static int prepare(void *arg)
{
	(void)arg;
	other = dup(p[0]);
	return other < 0 || close(p[0]) || close(p[1]) || close(efd);
}

static int check(void *arg)
{
	char byte;

	(void)arg;
	return read(other, &byte, 1) == 1 && byte == 'x' ? 0 : fail("the child reads from elsewhere");
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0xfedcba9876543210ULL };
	pid_t child;

	test_init(argc, argv);

	efd = epoll_create1(0);
	if (efd < 0 || pipe(p) || epoll_ctl(efd, EPOLL_CTL_ADD, p[0], &event))
		return pr_perror("epoll");
	child = kid_start(prepare, check, NULL);
	if (child < 0)
		return 1;
	/* The watched number is free, and then another file's. */
	close(p[0]);
	if (dup2(0, p[0]) != p[0])
		return pr_perror("dup2");

	test_daemon();
	test_waitsig();

	if (epoll_wait(efd, &event, 1, 0) != 0)
		return fail("an event out of nowhere");
	if (write(p[1], "x", 1) != 1 || epoll_wait(efd, &event, 1, 20000) != 1 ||
	    event.data.u64 != 0xfedcba9876543210ULL)
		return fail("the event is not told");
	if (epoll_ctl(efd, EPOLL_CTL_DEL, p[0], NULL) != -1 || errno == 0)
		return fail("the target is known by a number that is another file's");
	if (kid_finish(child))
		return fail("child");
	/* With the child it goes. */
	if (epoll_wait(efd, &event, 1, 0) != 0)
		return fail("the target outlives its last holder");

	pass();
	return 0;
}
