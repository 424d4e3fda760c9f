#include <errno.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "action-script.h"
#include "util/log.h"

struct stage {
	const char *name;
	int images_dir_fd;
	pid_t root_pid;
};

static void set_or_unset(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void set_environment(const struct stage *stage)
{
	char images_dir[64], root_pid[16];

	/* Called in the child: criu is its parent. */
	snprintf(images_dir, sizeof(images_dir), "/proc/%d/fd/%d", getppid(), stage->images_dir_fd);
	snprintf(root_pid, sizeof(root_pid), "%d", stage->root_pid);
	setenv("CRTOOLS_SCRIPT_ACTION", stage->name, 1);
	set_or_unset("CRTOOLS_IMAGE_DIR", stage->images_dir_fd >= 0 ? images_dir : NULL);
	set_or_unset("CRTOOLS_INIT_PID", stage->root_pid ? root_pid : NULL);
}

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
}

/* Close-on-exec rather than closed: the log must still take the failure of exec. */
static int set_descriptors(void)
{
	if (dup2(log_fd(), STDOUT_FILENO) < 0 || dup2(log_fd(), STDERR_FILENO) < 0)
		return fail_errno("cannot give the log to an action script");
	if (close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC))
		return fail_errno("cannot close descriptors for an action script");
	close(STDIN_FILENO);
	return 0;
}

static void __attribute__((noreturn)) exec_script(const char *script, const struct stage *stage)
{
	reset_signals();
	set_environment(stage);
	if (!set_descriptors()) {
		execl(script, script, (char *)NULL);
		pr_err("cannot execute the action script %s: %s", script, strerrordesc_np(errno));
	}
	_exit(127);
}

static int wait_for_script(const char *script, pid_t child, const struct stage *stage)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return fail_errno("cannot wait for the action script %s", script);
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFSIGNALED(status))
		pr_err("action script %s at %s: killed by signal %d", script, stage->name, WTERMSIG(status));
	else
		pr_err("action script %s at %s: exit status %d", script, stage->name, WEXITSTATUS(status));
	return -ECANCELED;
}

static int run_script(const char *script, const struct stage *stage)
{
	pid_t child;

	pr_debug("running the action script %s at %s", script, stage->name);
	child = fork();
	if (child < 0)
		return fail_errno("cannot start the action script %s", script);
	if (!child)
		exec_script(script, stage);
	return wait_for_script(script, child, stage);
}

int action_scripts_run(const struct options *options, const char *stage_name, int images_dir_fd, pid_t root_pid)
{
	const struct stage stage = {
		.name = stage_name,
		.images_dir_fd = images_dir_fd,
		.root_pid = root_pid,
	};
	int ret = 0;

	for (size_t i = options->action_scripts.n; i > 0; i--)
		if (run_script(options->action_scripts.data[i - 1], &stage))
			ret = -ECANCELED;
	return ret;
}
