#include <sys/stat.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "pidfd.h"

const char *test_doc = "Pidfds of tasks that were waited for: two of one task, one of another";

static int fds[3];

static int open_gone(unsigned int n)
{
	pid_t child = fork();

	if (!child)
		_exit(7);
	for (unsigned int i = 0; i < n; i++) {
		int fd = pidfd_of(child, i ? PIDFD_NONBLOCK_FLAG | PIDFD_THREAD_FLAG : 0);

		/* Before Linux 6.9 */
		if (fd < 0 && i)
			fd = pidfd_of(child, PIDFD_NONBLOCK_FLAG);
		if (child < 0 || fd < 0)
			return pr_perror("pidfd");
		fds[n == 2 ? i : 2] = fd;
	}
	return waitpid(child, NULL, 0) == child ? 0 : pr_perror("waitpid");
}

/* Where pidfds have inodes of their own, two of one task have the same. */
static int same(int a, int b)
{
	struct stat st_a, st_b;

	return !fstat(a, &st_a) && !fstat(b, &st_b) && st_a.st_ino == st_b.st_ino;
}

int main(int argc, char **argv)
{
	struct fd_state states[3];
	siginfo_t info;
	int were_same;

	test_init(argc, argv);

	if (open_gone(2) || open_gone(1))
		return 1;
	for (int i = 0; i < 3; i++)
		if (fd_state_get(fds[i], &states[i]))
			return 1;
	were_same = same(fds[0], fds[2]);

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 3; i++) {
		if (fd_state_changed(fds[i], &states[i], FD_NEW_INODE) || !pidfd_ended(fds[i]))
			return fail("pidfd %d changed", i);
		if (pidfd_kill(fds[i], 0) != -1 || errno != ESRCH)
			return fail("pidfd %d has a task", i);
		if (waitid(P_PIDFD, fds[i], &info, WEXITED | WNOHANG) != -1 || errno != ECHILD)
			return fail("pidfd %d is of a child", i);
	}
	if (!same(fds[0], fds[1]) || same(fds[0], fds[2]) != were_same)
		return fail("which are of one task");

	pass();
	return 0;
}
