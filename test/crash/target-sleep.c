/* Threads that sleep, one in each kind of system call. */
#include "target.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

void slept(struct slot *slot, int64_t begin, long long least_ms, long ret, long want)
{
	sigset_t mask;

	if (ret == -EINTR) {
		slot->eintr++;
	} else {
		expect(slot, "result", ret, want);
		if (now_ns() - begin < least_ms * NSEC_PER_MSEC)
			wrong(slot, "early (ns)", now_ns() - begin, least_ms * NSEC_PER_MSEC);
	}
	/* all but the signals of the sigsuspend thread are blocked everywhere */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (!sigismember(&mask, SIGUSR2) || !sigismember(&mask, SIGRTMIN) || sigismember(&mask, SIGUSR1))
		wrong(slot, "signal mask", *(uint64_t *)&mask, 0);
	slot->loops++;
}

void do_nanosleep(struct slot *slot)
{
	for (struct timespec t = ms(20);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 20, result(nanosleep(&t, NULL)), 0);
	}
}

void do_clock_nanosleep(struct slot *slot)
{
	for (;;) {
		int64_t begin = now_ns(), end = begin + 17 * NSEC_PER_MSEC;
		struct timespec t = { end / 1000000000, end % 1000000000 };

		slept(slot, begin, 17, -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	}
}

void do_poll(struct slot *slot)
{
	for (struct pollfd p = { .fd = idle[0], .events = POLLIN };;) {
		int64_t begin = now_ns();

		slept(slot, begin, 15, result(poll(&p, 1, 15)), 0);
	}
}

void do_ppoll(struct slot *slot)
{
	struct pollfd p = { .fd = idle[0], .events = POLLIN };
	struct timespec t = ms(13);
	sigset_t none;

	for (sigfillset(&none);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 13, result(ppoll(&p, 1, &t, &none)), 0);
	}
}

void do_select(struct slot *slot)
{
	for (;;) {
		struct timeval t = { 0, 18000 };
		int64_t begin = now_ns();
		fd_set set;

		FD_ZERO(&set);
		FD_SET(idle[0], &set);
		slept(slot, begin, 18, result(select(idle[0] + 1, &set, NULL, NULL, &t)), 0);
	}
}

void do_futex(struct slot *slot)
{
	static uint32_t word = 7;

	for (struct timespec t = ms(16);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 16, result(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &t, NULL, 0)),
		      -ETIMEDOUT);
	}
}

void do_epoll(struct slot *slot)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, idle[0], &event))
		die("epoll");
	for (;;) {
		int64_t begin = now_ns();

		slept(slot, begin, 19, result(epoll_wait(fd, &event, 1, 19)), 0);
	}
}

void do_sigtimedwait(struct slot *slot)
{
	struct timespec t = ms(14);
	sigset_t set;

	sigemptyset(&set);
	for (sigaddset(&set, SIGUSR2);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 14, result(sigtimedwait(&set, NULL, &t)), -EAGAIN);
	}
}

/* Numbers come through the pipe in order: none lost, none twice. */
void do_pipe_read(struct slot *slot)
{
	for (uint64_t want = 0, got;; want++) {
		int64_t begin = now_ns();
		long ret;

		while ((ret = result(read(fed_thread[0], &got, sizeof(got)))) == -EINTR)
			slot->eintr++;
		expect(slot, "number from the pipe", got, want);
		slept(slot, begin, 0, ret, sizeof(got));
	}
}

void do_feed(struct slot *slot)
{
	struct timespec t = ms(6);

	for (uint64_t n = 0;; n++) {
		int64_t begin = now_ns();

		if (write(fed_thread[1], &n, sizeof(n)) != sizeof(n) ||
		    write(fed_strict[1], &n, sizeof(n)) != sizeof(n))
			wrong(slot, "write", errno, 0);
		slept(slot, begin, 6, result(nanosleep(&t, NULL)), 0);
	}
}

static _Thread_local _Atomic uint64_t alarms;

void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* A timer ends each wait: the only EINTR that is wanted. */
void do_sigsuspend(struct slot *slot)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
	struct itimerspec every = { ms(7), ms(7) };
	uint64_t before = 0;
	timer_t timer;
	sigset_t set;

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &every, NULL))
		die("timer");
	sigfillset(&set);
	for (sigdelset(&set, SIGRTMIN);; before = alarms) {
		long ret = result(sigsuspend(&set));

		expect(slot, "sigsuspend", ret, -EINTR);
		if (alarms == before)
			slot->eintr++;
		slept(slot, 0, 0, 0, 0);
	}
}
