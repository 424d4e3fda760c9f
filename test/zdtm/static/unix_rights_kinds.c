#include "zdtmtst.h"
#include "unixprop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

const char *test_doc = "Descriptors of many kinds that only messages lead to, with what they watch";

enum { EVENTFD, EPOLL, TIMERFD, SIGNALFD, MEMFD, PIDFD, ASYNC, KINDS };

int main(int argc, char **argv)
{
	const struct itimerspec later = { .it_value.tv_sec = 3600 };
	struct signalfd_siginfo info;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x1234567890 };
	struct itimerspec left;
	int pair[2], watched[2], async[2], sent[KINDS], got[KINDS];
	struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = getpid() };
	uint64_t value;
	sigset_t mask, pending;
	char byte;

	test_init(argc, argv);
	owner.pid = getpid();

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGIO);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigdelset(&mask, SIGIO);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(watched) || socketpair(AF_UNIX, SOCK_STREAM, 0, async))
		return pr_perror("socketpair");
	sent[EVENTFD] = eventfd(7, EFD_NONBLOCK);
	sent[EPOLL] = epoll_create1(0);
	sent[TIMERFD] = timerfd_create(CLOCK_MONOTONIC, 0);
	sent[SIGNALFD] = signalfd(-1, &mask, SFD_NONBLOCK);
	sent[MEMFD] = memfd_create("on-its-way", 0);
	sent[PIDFD] = syscall(SYS_pidfd_open, getpid(), 0);
	sent[ASYNC] = async[0];
	if (epoll_ctl(sent[EPOLL], EPOLL_CTL_ADD, watched[0], &event) ||
	    timerfd_settime(sent[TIMERFD], 0, &later, NULL) || write(sent[MEMFD], "memory", 6) != 6 ||
	    fcntl(async[0], F_SETFL, O_ASYNC) || fcntl(async[0], F_SETOWN_EX, &owner) ||
	    send_rights(pair[0], 0, 10, sent, KINDS))
		return pr_perror("sendmsg");
	for (int i = 0; i < KINDS; i++)
		close(sent[i]);

	test_daemon();
	test_waitsig();

	if (recv_rights(pair[1], 0, 10, got, KINDS))
		return fail("the message");
	if (read(got[EVENTFD], &value, sizeof(value)) != sizeof(value) || value != 7)
		return fail("eventfd");
	if (epoll_wait(got[EPOLL], &event, 1, 0) || write(watched[1], "x", 1) != 1 ||
	    epoll_wait(got[EPOLL], &event, 1, 0) != 1 || event.data.u64 != 0x1234567890 ||
	    read(watched[0], &byte, 1) != 1)
		return fail("epoll instance");
	if (timerfd_gettime(got[TIMERFD], &left) || left.it_value.tv_sec < 1000)
		return fail("timerfd");
	kill(getpid(), SIGUSR1);
	if (read(got[SIGNALFD], &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGUSR1)
		return fail("signalfd");
	if (lseek(got[MEMFD], 0, SEEK_CUR) != 6 || pread(got[MEMFD], &byte, 1, 2) != 1 || byte != 'm')
		return fail("memfd");
	if (syscall(SYS_pidfd_send_signal, got[PIDFD], SIGUSR1, NULL, 0) ||
	    read(got[SIGNALFD], &info, sizeof(info)) != sizeof(info))
		return fail("pidfd");
	if (write(async[1], "x", 1) != 1 || sigpending(&pending) || !sigismember(&pending, SIGIO))
		return fail("no signal from a socket with O_ASYNC");

	pass();
	return 0;
}
