/*
 * Autogroups: sched(7).
 *
 * The kernel makes a scheduling group of each session, with a nice value of its own: the only one that counts between
 * tasks of two sessions. The group is inherited by fork; setsid(2) makes a new one. It is seen and set from
 * outside, through any task of it, so whichever task of a session comes first at restore sets it for all.
 *
 * A task that joins the session of criu (--shell-job) joins its group as well, which stays as it is.
 */
#include "task/attrs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

#define NICE_LOWEST  (-20)
#define NICE_HIGHEST 19

/* *ret_found: does this kernel make such groups, and is the task in one? */
static int read_nice(pid_t pid, bool *ret_found, int *ret)
{
	auto_fd int fd = proc_open(pid, "autogroup", O_RDONLY);
	char text[128];
	const char *at;
	ssize_t n;

	*ret_found = false;
	if (fd == -ENOENT)
		return 0;
	n = fd < 0 ? fd : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return fd < 0 ? fail(-fd, "Cannot open /proc/%d/autogroup", pid)
			      : fail_errno("Cannot read /proc/%d/autogroup", pid);
	text[n] = '\0';
	at = strstr(text, " nice ");
	*ret_found = at && sscanf(at, " nice %d", ret) == 1;
	return 0;
}

static int autogroup_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	bool found;
	int nice, err = ctx->leader ? read_nice(ctx->thread->process->pid, &found, &nice) : 0;

	if (err || !ctx->leader || !found || !nice)
		return err;
	task_extra_entry(ctx->model, ctx->core->tc)->has_autogroup_nice = true;
	ctx->core->tc->extra->autogroup_nice = nice;
	return 0;
}

static int autogroup_validate(const struct task_ctx *ctx)
{
	const TaskExtraEntry *extra = ctx->leader ? ctx->core->tc->extra : NULL;

	if (extra && (extra->autogroup_nice < NICE_LOWEST || extra->autogroup_nice > NICE_HIGHEST))
		return fail(EINVAL, "Bad nice value %d of an autogroup", extra->autogroup_nice);
	return 0;
}

/* To a process without CAP_SYS_ADMIN the kernel grants ten of these a second, all together. */
static int write_nice(pid_t pid, int nice)
{
	enum { TRIES = 50, PAUSE_US = 100000 };

	for (int try = 0;; try++) {
		auto_fd int fd = proc_open(pid, "autogroup", O_WRONLY);

		if (fd < 0)
			return fail(-fd, "Cannot open /proc/%d/autogroup", pid);
		if (dprintf(fd, "%d", nice) > 0)
			return 0;
		if (errno != EAGAIN || try == TRIES)
			return fail_errno("Cannot set nice value %d of its autogroup (CAP_SYS_NICE)", nice);
		usleep(PAUSE_US);
	}
}

static int autogroup_settle(struct task_ctx *ctx, struct batch *batch)
{
	const TaskExtraEntry *extra = ctx->leader ? ctx->core->tc->extra : NULL;
	pid_t pid = ctx->thread->process->pid;
	int now, wanted = extra ? extra->autogroup_nice : 0;
	bool found;
	int err;

	if (!ctx->leader || getsid(pid) == getsid(0))
		return 0;
	err = read_nice(pid, &found, &now);
	if (err || (found && now == wanted))
		return err;
	if (found)
		return write_nice(pid, wanted);
	if (wanted)
		pr_warn("Nice value %d of its autogroup cannot be set: there are none here", wanted);
	return 0;
}

const struct task_attr task_autogroup = {
	.name = "autogroup",
	.dump = autogroup_dump,
	.validate = autogroup_validate,
	.settle = autogroup_settle,
};
