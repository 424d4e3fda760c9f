#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "blocked.h"

const char *test_doc = "A nanosleep() that a stop has interrupted before: the task is in restart_syscall()";
const char *test_author = "The criu team";

static long call(void)
{
	struct timespec ts = BLOCKED_TIMESPEC;

	return nanosleep(&ts, NULL);
}

static int disturb(pid_t child)
{
	char path[256];
	int status;

	if (kill(child, SIGSTOP) || waitpid(child, &status, WUNTRACED) != child || !WIFSTOPPED(status))
		return pr_perror("stop");
	if (kill(child, SIGCONT) || waitpid(child, &status, WCONTINUED) != child || !WIFCONTINUED(status))
		return pr_perror("continue");
	if (task_wait_state(child, 'S') || ssprintf(path, "/proc/%d/syscall", child) ||
	    read_value(path, path, sizeof(path)))
		return 1;
	return atoi(path) != SYS_restart_syscall ? pr_err("the child is in system call %s\n", path) : 0;
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.call = call,
		.disturb = disturb,
		.timeout_ms = BLOCKED_TIMEOUT_MS,
	};

	return blocked_main(argc, argv, &test);
}
