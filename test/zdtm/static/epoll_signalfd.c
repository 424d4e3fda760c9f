#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "zdtmtst.h"
#include "kids.h"

const char *test_doc = "epoll on a signalfd tells the task that added it of its own signals";

static int efd, fd;

static int set_up(void *arg)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x123456789abcULL };
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return pr_perror("sigprocmask");
	efd = epoll_create1(0);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	if (efd < 0 || fd < 0 || epoll_ctl(efd, EPOLL_CTL_ADD, fd, &event))
		return pr_perror("epoll");
	return 0;
}

static int check(void *arg)
{
	struct signalfd_siginfo info;
	struct epoll_event event;

	(void)arg;
	/* Somebody is waiting when it comes. */
	if (epoll_wait(efd, &event, 1, 0) != 0)
		return fail("an event out of nowhere");
	if (!fork()) {
		usleep(100000);
		_exit(kill(getppid(), SIGUSR1) != 0);
	}
	if (epoll_wait(efd, &event, 1, 20000) != 1 || event.data.u64 != 0x123456789abcULL || event.events != EPOLLIN)
		return fail("the signal is not told");
	if (read(fd, &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGUSR1)
		return fail("the signal is not read");
	if (epoll_wait(efd, &event, 1, 0) != 0)
		return fail("there is more to read");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t child;

	test_init(argc, argv);

	child = kid_start(set_up, check, NULL);
	if (child < 0 || set_up(NULL))
		return 1;

	test_daemon();
	test_waitsig();

	if (check(NULL) || kid_finish(child))
		return fail("epoll on a signalfd");

	pass();
	return 0;
}
