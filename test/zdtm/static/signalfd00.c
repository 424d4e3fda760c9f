#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Signalfds: set, flags, and what is pending is read through them";

int main(int argc, char **argv)
{
	union sigval value = { .sival_int = 4711 };
	struct fd_state state, state_other;
	struct signalfd_siginfo info;
	sigset_t set, other_set;
	struct pollfd poller;
	int fd, other;

	test_init(argc, argv);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	sigemptyset(&other_set);
	sigaddset(&other_set, SIGUSR2);
	sigaddset(&other_set, SIGRTMAX);
	if (sigprocmask(SIG_BLOCK, &set, NULL) || sigprocmask(SIG_BLOCK, &other_set, NULL))
		return pr_perror("sigprocmask");
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	other = signalfd(-1, &other_set, SFD_CLOEXEC);
	if (fd < 0 || other < 0 || fd_state_get(fd, &state) || fd_state_get(other, &state_other))
		return pr_perror("signalfd");
	if (sigqueue(getpid(), SIGRTMIN + 3, value))
		return pr_perror("sigqueue");

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_NEW_INODE) || fd_state_changed(other, &state_other, FD_NEW_INODE))
		return fail("a signalfd changed");
	if (read(fd, &info, sizeof(info)) != sizeof(info) || info.ssi_signo != (uint32_t)SIGRTMIN + 3 ||
	    info.ssi_int != 4711 || info.ssi_pid != (uint32_t)getpid())
		return fail("the pending signal is not read");
	if (read(fd, &info, sizeof(info)) != -1 || errno != EAGAIN)
		return fail("another signal was pending");

	/* Each shows its own signals only. */
	if (kill(getpid(), SIGUSR2))
		return pr_perror("kill");
	if (read(fd, &info, sizeof(info)) != -1 || errno != EAGAIN)
		return fail("a signal of the other set");
	if (read(other, &info, sizeof(info)) != sizeof(info) || info.ssi_signo != SIGUSR2)
		return fail("the signal of the other set is not read");
	poller = (struct pollfd){ .fd = other, .events = POLLIN };
	if (kill(getpid(), SIGUSR1) || poll(&poller, 1, 0) != 0)
		return fail("the other one is ready for a signal that is not in its set");
	if (kill(getpid(), SIGRTMAX) || poll(&poller, 1, 0) != 1)
		return fail("the other one does not become ready");

	pass();
	return 0;
}
