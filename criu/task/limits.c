/*
 * Limits and accounting of a process.
 *
 * What the kernel keeps: sixteen resource limits, how readily the process is
 * killed when memory runs out, the login it is accounted to. All is seen from
 * outside, but the limits of another user's process only with
 * CAP_SYS_RESOURCE: without it the process reads its own.
 *
 * Set late, for a limit that fits the job may be too low for its restore, but
 * before credentials: a hard limit that is above ours needs CAP_SYS_RESOURCE.
 * Only what differs is set.
 */
#include "task/attrs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "util/log.h"

#define N_LIMITS       16 /* RLIM_NLIMITS of the kernel */
#define LOGINUID_UNSET UINT32_MAX

/* struct rlimit64 of the kernel */
struct kernel_rlimit {
	uint64_t cur, max;
};

static const char *const limit_names[N_LIMITS] = {
	[RLIMIT_CPU] = "CPU time",
	[RLIMIT_FSIZE] = "file size",
	[RLIMIT_DATA] = "data size",
	[RLIMIT_STACK] = "stack size",
	[RLIMIT_CORE] = "core file size",
	[RLIMIT_RSS] = "resident set",
	[RLIMIT_NPROC] = "processes",
	[RLIMIT_NOFILE] = "open files",
	[RLIMIT_MEMLOCK] = "locked memory",
	[RLIMIT_AS] = "address space",
	[RLIMIT_LOCKS] = "file locks",
	[RLIMIT_SIGPENDING] = "pending signals",
	[RLIMIT_MSGQUEUE] = "message queue size",
	[RLIMIT_NICE] = "nice priority",
	[RLIMIT_RTPRIO] = "real-time priority",
	[RLIMIT_RTTIME] = "real-time CPU time",
};

static int read_limit(pid_t pid, int resource, struct kernel_rlimit *ret)
{
	return syscall(SYS_prlimit64, pid, resource, NULL, ret) < 0 ? -errno : 0;
}

/* A number from /proc/PID/@name. */
static int read_number(pid_t pid, const char *name, long long *ret)
{
	auto_free char *text = NULL;
	size_t bytes;
	char *end;
	int err = proc_read_file(pid, name, &text, &bytes);

	if (err)
		return err;
	*ret = strtoll(text, &end, 10);
	if (end == text)
		return fail(EINVAL, "malformed /proc/%d/%s: %s", pid, name, text);
	return 0;
}

/* The kernel may be built without audit: then there is no such file, and no login. */
static int read_loginuid(pid_t pid, uint32_t *ret)
{
	auto_free char *path = xasprintf("/proc/%d/loginuid", pid);
	long long value;
	int err;

	*ret = LOGINUID_UNSET;
	if (access(path, F_OK) < 0)
		return 0;
	err = read_number(pid, "loginuid", &value);
	if (!err)
		*ret = (uint32_t)value;
	return err;
}

/* --- dump ----------------------------------------------------------------------------- */

struct limits_priv {
	bool remote;
	int first_op;
	struct remote_addr remote_limits[N_LIMITS];
	struct kernel_rlimit limits[N_LIMITS];
};

static int limits_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct limits_priv *priv;

	if (!ctx->leader)
		return 0;
	priv = arena_new_of(ctx->model->arena, struct limits_priv);
	*ret_priv = priv;
	for (int i = 0; i < N_LIMITS && !priv->remote; i++)
		priv->remote = read_limit(ctx->thread->process->pid, i, &priv->limits[i]) < 0;
	for (int i = 0; i < N_LIMITS && priv->remote; i++) {
		int op;

		priv->remote_limits[i] = batch_data(batch, NULL, sizeof(struct kernel_rlimit));
		op = batch_add(batch, __NR_prlimit64, 0, i, 0, priv->remote_limits[i].v);
		if (!i)
			priv->first_op = op;
	}
	return 0;
}

static int dump_rlimits(struct task_ctx *ctx, struct batch *batch, struct limits_priv *priv)
{
	TaskRlimitsEntry *entry = model_new(ctx->model, TaskRlimitsEntry, task_rlimits_entry__init);

	entry->n_rlimits = N_LIMITS;
	entry->rlimits = arena_array(ctx->model->arena, RlimitEntry *, N_LIMITS);
	for (int i = 0; i < N_LIMITS; i++) {
		long err = priv->remote ? batch_ret(batch, priv->first_op + i) : 0;

		if (err)
			return fail((int)-err, "Cannot read the limit of %s", limit_names[i]);
		if (priv->remote)
			memcpy(&priv->limits[i], batch_local(batch, priv->remote_limits[i]), sizeof(priv->limits[i]));
		entry->rlimits[i] = model_new(ctx->model, RlimitEntry, rlimit_entry__init);
		entry->rlimits[i]->cur = priv->limits[i].cur;
		entry->rlimits[i]->max = priv->limits[i].max;
	}
	ctx->core->tc->rlimits = entry;
	return 0;
}

static int limits_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	TaskCoreEntry *tc = ctx->core->tc;
	pid_t pid = ctx->thread->process->pid;
	long long adj;
	int err;

	if (!ctx->leader)
		return 0;
	err = dump_rlimits(ctx, batch, priv);
	if (!err)
		err = read_number(pid, "oom_score_adj", &adj);
	if (!err)
		err = read_loginuid(pid, &tc->loginuid);
	if (err)
		return err;
	tc->has_oom_score_adj = true;
	tc->oom_score_adj = (int32_t)adj;
	tc->has_loginuid = tc->loginuid != LOGINUID_UNSET;
	return 0;
}

/* --- restore ----------------------------------------------------------------------------- */

static int limits_validate(const struct task_ctx *ctx)
{
	const TaskCoreEntry *tc = ctx->core->tc;

	if (!ctx->leader)
		return 0;
	if (tc->rlimits && tc->rlimits->n_rlimits > N_LIMITS)
		return fail(ENOTSUP, "The image has %zu resource limits, this system knows %d", tc->rlimits->n_rlimits,
			    N_LIMITS);
	for (size_t i = 0; tc->rlimits && i < tc->rlimits->n_rlimits; i++)
		if (tc->rlimits->rlimits[i]->cur > tc->rlimits->rlimits[i]->max)
			return fail(EINVAL, "The limit of %s is above its hard limit", limit_names[i]);
	if (tc->oom_score_adj < -1000 || tc->oom_score_adj > 1000)
		return fail(EINVAL, "Bad oom_score_adj %d", tc->oom_score_adj);
	return 0;
}

static int settle_rlimits(struct task_ctx *ctx, struct batch *batch, const TaskRlimitsEntry *wanted)
{
	for (size_t i = 0; i < wanted->n_rlimits; i++) {
		struct kernel_rlimit limit = { wanted->rlimits[i]->cur, wanted->rlimits[i]->max }, now;
		int err = read_limit(ctx->thread->process->pid, (int)i, &now);

		if (err)
			return fail(-err, "Cannot read the limit of %s", limit_names[i]);
		if (!memcmp(&now, &limit, sizeof(now)))
			continue;
		if (limit.max > now.max && !ctx->features->cap_resource)
			return fail(EPERM,
				    "The hard limit of %s was %#llx and is %#llx here: raise it before restore, "
				    "or restore with CAP_SYS_RESOURCE",
				    limit_names[i], (unsigned long long)limit.max, (unsigned long long)now.max);
		batch_must(batch, "set a resource limit", __NR_prlimit64, 0, i,
			   batch_data(batch, &limit, sizeof(limit)).v);
	}
	return 0;
}

static int settle_oom_score(pid_t pid, int wanted)
{
	auto_fd int fd = -1;
	long long now;
	char text[16];
	int bytes, err = read_number(pid, "oom_score_adj", &now);

	if (err || now == wanted)
		return err;
	fd = proc_open(pid, "oom_score_adj", O_WRONLY);
	if (fd < 0)
		return fd;
	bytes = snprintf(text, sizeof(text), "%d", wanted);
	if (write(fd, text, (size_t)bytes) != bytes)
		return fail_errno("Cannot set oom_score_adj to %d; it is %lld here, and lowering it takes "
				  "CAP_SYS_RESOURCE",
				  wanted, now);
	return 0;
}

/* Only the task itself may set it. It serves the audit log alone, so a system that forbids it does not end the restore. */
static int settle_loginuid(struct task_ctx *ctx, struct batch *batch, uint32_t wanted)
{
	static const char path[] = "/proc/self/loginuid";
	char text[16];
	uint32_t now;
	int open_op, write_op, bytes;
	long fd;
	int err = read_loginuid(ctx->thread->process->pid, &now);

	if (err || now == wanted)
		return err;
	err = batch_room(batch, 1, sizeof(path));
	if (err)
		return err;
	open_op =
		batch_add(batch, __NR_openat, AT_FDCWD, batch_data(batch, path, sizeof(path)).v, O_WRONLY | O_CLOEXEC);
	err = batch_run(batch);
	if (err)
		return err;
	fd = batch_ret(batch, open_op);
	if (fd >= 0) {
		bytes = snprintf(text, sizeof(text), "%u", wanted);
		write_op = batch_add(batch, __NR_write, fd, batch_data(batch, text, sizeof(text)).v, bytes);
		batch_must(batch, "close /proc/self/loginuid", __NR_close, fd);
		err = batch_run(batch);
		if (err)
			return err;
		fd = batch_ret(batch, write_op);
	}
	if (fd < 0)
		pr_warn("Cannot set the login uid to %u: %s", wanted, strerror((int)-fd));
	return 0;
}

static int limits_settle(struct task_ctx *ctx, struct batch *batch)
{
	const TaskCoreEntry *tc = ctx->core->tc;
	int err = 0;

	if (!ctx->leader)
		return 0;
	if (tc->has_loginuid && tc->loginuid != LOGINUID_UNSET)
		err = settle_loginuid(ctx, batch, tc->loginuid);
	if (!err && tc->has_oom_score_adj)
		err = settle_oom_score(ctx->thread->process->pid, tc->oom_score_adj);
	if (!err)
		err = batch_room(batch, N_LIMITS, N_LIMITS * sizeof(struct kernel_rlimit));
	if (!err && tc->rlimits)
		err = settle_rlimits(ctx, batch, tc->rlimits);
	return err;
}

const struct task_attr task_limits = {
	.name = "limits",
	.queue = limits_queue,
	.dump = limits_dump,
	.validate = limits_validate,
	.settle = limits_settle,
};
