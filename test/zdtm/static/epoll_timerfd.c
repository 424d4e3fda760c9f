#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "zdtmtst.h"
#include "kids.h"

const char *test_doc = "epoll on timerfds that a child shares: one has expired before, one expires afterwards";

static int efd, expired, running;

static int child_check(void *arg)
{
	unsigned long long ticks;

	(void)arg;
	/* The parent has read it. */
	if (read(expired, &ticks, sizeof(ticks)) != -1 || errno != EAGAIN)
		return fail("child: the expired timer is not the parent's");
	return 0;
}

static int add(int fd, unsigned long data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = data };

	return epoll_ctl(efd, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv)
{
	struct itimerspec soon = { .it_value = { 0, 1 } }, later = { .it_value = { 3, 0 } };
	struct epoll_event event;
	unsigned long long ticks;
	pid_t child;

	test_init(argc, argv);

	efd = epoll_create1(0);
	expired = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	running = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (efd < 0 || add(expired, 77) || add(running, 88) || timerfd_settime(expired, 0, &soon, NULL) ||
	    epoll_wait(efd, &event, 1, 10000) != 1)
		return pr_perror("epoll");
	child = kid_start(NULL, child_check, NULL);
	if (child < 0 || timerfd_settime(running, 0, &later, NULL))
		return 1;

	test_daemon();
	test_waitsig();

	if (epoll_wait(efd, &event, 1, 0) != 1 || event.data.u64 != 77)
		return fail("the expired timer is not told");
	if (read(expired, &ticks, sizeof(ticks)) != sizeof(ticks) || ticks != 1 || kid_finish(child))
		return fail("the expired timer");
	if (epoll_wait(efd, &event, 1, 20000) != 1 || event.data.u64 != 88)
		return fail("the running timer is not told");
	if (read(running, &ticks, sizeof(ticks)) != sizeof(ticks) || ticks != 1)
		return fail("the running timer");

	pass();
	return 0;
}
