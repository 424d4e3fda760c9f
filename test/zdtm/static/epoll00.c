#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "zdtmtst.h"

const char *test_doc = "epoll: level and edge triggered, one-shot armed and disarmed, data, numbers, sharing";

enum target { LEVEL, IDLE, EDGE, ARMED, DISARMED, DISARMED_IDLE, MOVED, SAME_A, SAME_B, EVENT, NR };

#define DATA(i) (0xa1b2c3d400000000ULL + (i))

static int efd, fds[NR][2];

static int add(int fd, uint32_t events, int data)
{
	struct epoll_event event = { .events = events, .data.u64 = DATA(data) };

	return epoll_ctl(efd, EPOLL_CTL_ADD, fd, &event);
}

/* Which targets are reported now, as a mask; -1: with wrong data. */
static int reported(uint32_t want_events)
{
	struct epoll_event events[NR + 1];
	int n = epoll_wait(efd, events, NR + 1, 0), mask = 0;

	for (int i = 0; i < n; i++) {
		uint64_t target = events[i].data.u64 - DATA(0);

		if (target >= NR || events[i].events != want_events || (mask & 1 << target))
			return -1;
		mask |= 1 << target;
	}
	return n < 0 ? -1 : mask;
}

static int set(void)
{
	int copy;

	efd = epoll_create1(EPOLL_CLOEXEC);
	if (efd < 0)
		return pr_perror("epoll_create1");
	for (int i = 0; i < EVENT; i++)
		if (pipe(fds[i]))
			return pr_perror("pipe");
	fds[EVENT][0] = fds[EVENT][1] = eventfd(0, 0);

	if (add(fds[LEVEL][0], EPOLLIN, LEVEL) || add(fds[IDLE][0], EPOLLIN | EPOLLRDHUP, IDLE) ||
	    add(fds[EDGE][0], EPOLLIN | EPOLLET, EDGE) || add(fds[ARMED][0], EPOLLIN | EPOLLONESHOT, ARMED) ||
	    add(fds[DISARMED][1], EPOLLOUT | EPOLLONESHOT, DISARMED) ||
	    add(fds[DISARMED_IDLE][0], EPOLLIN | EPOLLONESHOT, DISARMED_IDLE) ||
	    add(fds[EVENT][0], EPOLLIN | EPOLLEXCLUSIVE, EVENT))
		return pr_perror("epoll_ctl");
	/* The number it was added under is another file's by now. */
	copy = dup(fds[MOVED][0]);
	if (add(fds[MOVED][0], EPOLLIN, MOVED) || dup2(fds[IDLE][1], fds[MOVED][0]) < 0)
		return pr_perror("moved");
	/* Two targets of one number. */
	if (add(fds[SAME_A][0], EPOLLIN, SAME_A))
		return pr_perror("first");
	fds[MOVED][0] = copy;
	copy = dup(fds[SAME_A][0]);
	if (dup2(fds[SAME_B][0], fds[SAME_A][0]) < 0 || add(fds[SAME_A][0], EPOLLIN, SAME_B))
		return pr_perror("second");
	fds[SAME_A][0] = copy;

	if (reported(EPOLLOUT) != 1 << DISARMED || write(fds[DISARMED_IDLE][1], "x", 1) != 1 ||
	    reported(EPOLLIN) != 1 << DISARMED_IDLE || write(fds[LEVEL][1], "x", 1) != 1)
		return pr_perror("events");
	/* One that is disarmed and not ready for anything. */
	if (read(fds[DISARMED_IDLE][0], &copy, 1) != 1 || reported(EPOLLIN) != 1 << LEVEL)
		return pr_perror("level");
	return 0;
}

static int check(void)
{
	struct epoll_event again = { .events = EPOLLIN | EPOLLONESHOT, .data.u64 = DATA(DISARMED_IDLE) };
	const uint64_t one = 1;

	if (reported(EPOLLIN) != 1 << LEVEL || reported(EPOLLIN) != 1 << LEVEL)
		return fail("what is ready is not reported again and again");
	for (int i = 0; i < EVENT; i++)
		if (i != LEVEL && i != IDLE && i != DISARMED && write(fds[i][1], "x", 1) != 1)
			return pr_perror("write");
	if (write(fds[EVENT][0], &one, sizeof(one)) != sizeof(one))
		return pr_perror("eventfd");
	if (reported(EPOLLIN) !=
	    (1 << LEVEL | 1 << EDGE | 1 << ARMED | 1 << MOVED | 1 << SAME_A | 1 << SAME_B | 1 << EVENT))
		return fail("not all are reported when they become ready");
	if (reported(EPOLLIN) != (1 << LEVEL | 1 << MOVED | 1 << SAME_A | 1 << SAME_B | 1 << EVENT))
		return fail("edge or one-shot is reported twice");
	/* Closing the other end would report it, were it armed. */
	close(fds[DISARMED][0]);
	if (reported(EPOLLIN) != (1 << LEVEL | 1 << MOVED | 1 << SAME_A | 1 << SAME_B | 1 << EVENT))
		return fail("the disarmed target is armed");
	if (epoll_ctl(efd, EPOLL_CTL_DEL, fds[LEVEL][0], NULL) || epoll_ctl(efd, EPOLL_CTL_DEL, fds[EVENT][0], NULL) ||
	    epoll_ctl(efd, EPOLL_CTL_MOD, fds[DISARMED_IDLE][0], &again))
		return fail("a target is not known by its number");
	if (reported(EPOLLIN) != (1 << MOVED | 1 << SAME_A | 1 << SAME_B | 1 << DISARMED_IDLE))
		return fail("the targets changed");
	return 0;
}

int main(int argc, char **argv)
{
	int go[2], status;
	pid_t child;
	char c;

	test_init(argc, argv);

	if (set() || pipe(go))
		return 1;
	child = fork();
	if (child < 0)
		return pr_perror("fork");
	if (!child) {
		/* It shares the instance and takes part in nothing else. */
		close(go[1]);
		if (read(go[0], &c, 1) != 0)
			_exit(1);
		_exit(epoll_ctl(efd, EPOLL_CTL_DEL, fds[IDLE][0], NULL) ? 2 : 0);
	}

	test_daemon();
	test_waitsig();

	if (check())
		return 1;
	close(go[1]);
	if (waitpid(child, &status, 0) != child || status)
		return fail("the child ended with %#x", status);
	if (epoll_ctl(efd, EPOLL_CTL_DEL, fds[IDLE][0], NULL) != -1 || errno != ENOENT)
		return fail("the instance is not shared with the child");

	pass();
	return 0;
}
