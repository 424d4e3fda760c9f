/*
 * A shell that runs criu restore --shell-job waits for criu, and knows nothing
 * of the job, which has a process group of its own and the foreground. If the
 * job is stopped, by ^Z say, criu takes the foreground back and stops itself: so the
 * shell goes on. "fg" puts criu into the foreground, which passes it on, and continues the
 * job; "bg" only continues it. Where no shell controls jobs, criu's group is
 * orphaned, and the kernel does not stop it: see setpgid(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands/job.h"
#include "util/mem.h"

static void set_foreground(int terminal, pid_t pgrp)
{
	sigset_t ttou, old;

	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	/* Without it the job waits in the background, as a job may. */
	if (tcsetpgrp(terminal, pgrp))
		errno = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void stop_with(pid_t root)
{
	auto_fd int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	pid_t pgrp = getpgid(root);

	/* In one group with the job, whatever stops the one stops the other. */
	if (terminal < 0 || pgrp < 0 || pgrp == getpgrp())
		return;
	if (tcgetpgrp(terminal) == pgrp)
		set_foreground(terminal, getpgrp());
	raise(SIGTSTP);
	if (tcgetpgrp(terminal) == getpgrp())
		set_foreground(terminal, pgrp);
	kill(-pgrp, SIGCONT);
}

void job_wait(pid_t root, bool shell_job)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, shell_job ? WUNTRACED : 0);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return;
		if (pid == root && WIFSTOPPED(status))
			stop_with(root);
	}
}
