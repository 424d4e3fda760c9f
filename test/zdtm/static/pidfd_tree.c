#include <sys/epoll.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "kids.h"
#include "pidfd.h"

const char *test_doc = "Pidfds of a child, of a zombie, of the task itself and of its parent; shared and polled";

static int parent_fd, zombie_fd;

static int child_check(void *arg)
{
	(void)arg;
	/* It has the descriptors of its parent, and one of the parent. */
	if (!pidfd_ended(zombie_fd) || pidfd_ended(parent_fd) || pidfd_kill(parent_fd, SIGUSR1))
		return fail("child: pidfd of the parent");
	return 0;
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct fd_state state, thread_state;
	pid_t child, zombie;
	int child_fd, thread_fd, efd;
	siginfo_t info;
	sigset_t set;

	test_init(argc, argv);

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return pr_perror("sigprocmask");
	zombie = fork();
	if (!zombie)
		_exit(5);
	if (zombie < 0 || waitid(P_PID, zombie, &info, WEXITED | WNOWAIT))
		return pr_perror("zombie");
	zombie_fd = pidfd_of(zombie, 0);
	parent_fd = pidfd_of(getpid(), 0);
	child = kid_start(NULL, child_check, NULL);
	child_fd = pidfd_of(child, PIDFD_NONBLOCK_FLAG);
	/* Since Linux 6.9 */
	thread_fd = pidfd_of(child, PIDFD_THREAD_FLAG);
	efd = epoll_create1(0);
	if (child < 0 || zombie_fd < 0 || parent_fd < 0 || child_fd < 0 || fd_state_get(child_fd, &state) ||
	    (thread_fd >= 0 && fd_state_get(thread_fd, &thread_state)) ||
	    epoll_ctl(efd, EPOLL_CTL_ADD, child_fd, &event))
		return pr_perror("pidfd");

	test_daemon();
	test_waitsig();

	if (fd_state_changed(child_fd, &state, FD_NEW_INODE) ||
	    (thread_fd >= 0 && fd_state_changed(thread_fd, &thread_state, FD_NEW_INODE)))
		return fail("a pidfd changed");
	if (waitid(P_PIDFD, child_fd, &info, WEXITED) != -1 || errno != EAGAIN)
		return fail("waiting for the child does not say that it runs");
	if (epoll_wait(efd, &event, 1, 0) != 0 || pidfd_ended(child_fd) || pidfd_kill(child_fd, SIGTERM) ||
	    epoll_wait(efd, &event, 1, 20000) != 1 || !pidfd_ended(child_fd) ||
	    (thread_fd >= 0 && !pidfd_ended(thread_fd)))
		return fail("the end of the child is not told");
	if (waitid(P_PIDFD, child_fd, &info, WEXITED) || info.si_pid != child || info.si_code != CLD_EXITED ||
	    info.si_status)
		return fail("the child");
	if (sigwaitinfo(&set, &info) != SIGUSR1 || info.si_pid != child)
		return fail("the signal of the child");
	if (!pidfd_ended(zombie_fd) || waitid(P_PIDFD, zombie_fd, &info, WEXITED) || info.si_pid != zombie ||
	    info.si_status != 5)
		return fail("the zombie");
	if (pidfd_ended(parent_fd) || pidfd_kill(parent_fd, 0))
		return fail("the task itself");

	pass();
	return 0;
}
