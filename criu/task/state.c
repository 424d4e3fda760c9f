/*
 * What a process is called and how it stands.
 *
 * What the kernel keeps: state, exit code, flags and name; the signal its
 * parent gets at its end; the execution domain (personality) of each thread.
 * All is seen from outside; name and domain are set by the thread itself, the
 * exit signal by whoever forks it. The umask belongs to the file system
 * part of a task, which other threads and processes may share.
 *
 * Of a stopped process the kernel keeps the stop signal until the parent has
 * waited for it: then the exit code in /proc/PID/stat is 0 (older kernels
 * never show it; the stop is then taken for seen). Of a zombie it still keeps
 * credentials, which wait() reports. They are saved if they differ from its
 * parent's.
 *
 * Mainline's images hold one execution domain for the process; that of a thread
 * which differs from its leader's is in a field of ours. It is set late, because
 * READ_IMPLIES_EXEC would change the mappings that are still to be made.
 *
 * Lost: that a zombie left a core file.
 */
#include "task/attrs.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "arch.h"
#include "util/log.h"

#define COMM_BYTES	  16
#define PERSONALITY_QUERY 0xffffffffU

/* The name as it is: /proc/PID/stat would escape some of its characters. */
static int read_comm(struct task_ctx *ctx, char **ret)
{
	auto_free char *text = NULL;
	size_t bytes;
	int err = proc_read_file(ctx->thread->tid, "comm", &text, &bytes);

	if (err)
		return err;
	if (bytes && text[bytes - 1] == '\n')
		text[bytes - 1] = '\0';
	*ret = arena_strdup(ctx->model->arena, text);
	return 0;
}

static int read_personality(pid_t pid, uint32_t *ret)
{
	auto_free char *text = NULL;
	size_t bytes;
	char *end;
	int err = proc_read_file(pid, "personality", &text, &bytes);

	if (err)
		return err;
	*ret = (uint32_t)strtoul(text, &end, 16);
	if (end == text)
		return fail(EINVAL, "malformed /proc/%d/personality: %s", pid, text);
	return 0;
}

TaskExtraEntry *task_extra_entry(struct model *model, TaskCoreEntry *tc)
{
	if (!tc->extra)
		tc->extra = model_new(model, TaskExtraEntry, task_extra_entry__init);
	return tc->extra;
}

/* The root's was chosen by a parent that is not restored. */
static void dump_exit_signal(const struct remote_process *process, struct model *model, TaskCoreEntry *tc)
{
	if (!process->parent || process->stat.exit_signal == SIGCHLD)
		return;
	task_extra_entry(model, tc)->has_exit_signal = true;
	tc->extra->exit_signal = (uint32_t)process->stat.exit_signal;
}

void state_dump_stop(const struct remote_process *process, struct model *model, TaskCoreEntry *tc)
{
	tc->task_state = TASK_STATE_STOPPED;
	tc->has_stop_signo = true;
	tc->stop_signo = (uint32_t)process->stop_signo;
	if (process->stat.exit_code)
		return;
	task_extra_entry(model, tc)->has_stop_seen = true;
	tc->extra->stop_seen = true;
}

static int state_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	struct remote_process *process = ctx->thread->process;

	return ctx->leader ? read_personality(process->pid, &process->personality) : 0;
}

/* A thread's own is asked for: that costs less than a file for each of a thousand. */
static int state_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	int *op = arena_new_of(ctx->model->arena, int);

	*op = batch_add(batch, __NR_personality, PERSONALITY_QUERY);
	*ret_priv = op;
	return 0;
}

static int dump_thread_personality(struct task_ctx *ctx, const struct batch *batch, const int *op)
{
	long own = batch_ret(batch, *op);

	if (own < 0)
		return fail((int)-own, "Cannot read the execution domain");
	if ((uint32_t)own == ctx->thread->process->personality)
		return 0;
	thread_extra_entry(ctx->model, ctx->core->thread_core)->has_personality = true;
	ctx->core->thread_core->extra->personality = (uint32_t)own;
	return 0;
}

static int state_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	const struct remote_process *process = ctx->thread->process;
	CoreEntry *core = ctx->core;
	struct proc_stat stat;
	int err;

	err = read_comm(ctx, &core->thread_core->comm);
	if (err || !ctx->leader)
		return err ?: dump_thread_personality(ctx, batch, priv);
	core->tc->personality = process->personality;
	err = proc_read_stat(process->pid, 0, &stat);
	if (err)
		return err;
	core->tc->comm = core->thread_core->comm;
	core->tc->flags = stat.flags;
	core->tc->task_state = TASK_STATE_ALIVE;
	dump_exit_signal(process, ctx->model, core->tc);
	if (process->state == REMOTE_STOPPED)
		state_dump_stop(process, ctx->model, core->tc);
	return 0;
}

static int dump_zombie_creds(const struct remote_process *process, struct model *model, TaskCoreEntry *tc)
{
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	int err = proc_read_status(process->pid, 0, &status);

	if (!err && process->parent && !creds_are_same(&status, &process->parent->status))
		task_extra_entry(model, tc)->creds = creds_entry_new(model, &status);
	return err;
}

int task_dump_zombie(struct remote_process *process, struct model *model, struct task_image *image)
{
	CoreEntry *core = model_new(model, CoreEntry, core_entry__init);
	struct proc_stat stat;
	int err = proc_read_stat(process->pid, 0, &stat);

	if (err)
		return err;
	process->stat = stat;
	core->mtype = ARCH_MTYPE;
	core->tc = model_new(model, TaskCoreEntry, task_core_entry__init);
	core->tc->task_state = TASK_STATE_DEAD;
	core->tc->exit_code = (uint32_t)stat.exit_code;
	core->tc->flags = stat.flags;
	core->tc->comm = arena_strdup(model->arena, stat.comm);
	if (!image->core)
		image->core = arena_array(model->arena, CoreEntry *, 1);
	image->core[0] = core;
	image->n_core = 1;
	dump_exit_signal(process, model, core->tc);
	return dump_zombie_creds(process, model, core->tc);
}

static int state_validate(const struct task_ctx *ctx)
{
	const TaskCoreEntry *tc = ctx->core->tc;
	const char *comm = ctx->core->thread_core->comm;
	const ThreadExtraEntry *extra = ctx->core->thread_core->extra;

	if (comm && strlen(comm) >= COMM_BYTES)
		return fail(EINVAL, "The name of a thread is too long: %s", comm);
	if (extra && extra->has_personality && extra->personality == PERSONALITY_QUERY)
		return fail(EINVAL, "Bad execution domain %#x of a thread", extra->personality);
	if (!ctx->leader)
		return 0;
	if (strlen(tc->comm) >= COMM_BYTES)
		return fail(EINVAL, "The name of a process is too long: %s", tc->comm);
	if (tc->personality == PERSONALITY_QUERY)
		return fail(EINVAL, "Bad execution domain %#x", tc->personality);
	if (tc->task_state != TASK_STATE_ALIVE && tc->task_state != TASK_STATE_STOPPED)
		return fail(EINVAL, "Unknown task state %u", tc->task_state);
	return 0;
}

static int state_restore(struct task_ctx *ctx, struct batch *batch)
{
	char name[COMM_BYTES] = { 0 };
	const char *comm = ctx->core->thread_core->comm;
	int err;

	if (!comm && ctx->leader)
		comm = ctx->core->tc->comm;
	if (!comm)
		return 0;
	err = batch_room(batch, 1, sizeof(name));
	if (err)
		return err;
	strncpy(name, comm, sizeof(name) - 1);
	batch_must(batch, "set the thread's name", __NR_prctl, PR_SET_NAME, batch_data(batch, name, sizeof(name)).v);
	return 0;
}

int task_restore_zombie(struct task_ctx *ctx, CredsEntry *creds)
{
	ThreadCoreEntry thread_core = THREAD_CORE_ENTRY__INIT;
	CoreEntry core = CORE_ENTRY__INIT;
	struct task_ctx zombie = *ctx;
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int err = batch_new(ctx->thread, &batch);

	thread_core.comm = ctx->core->tc->comm;
	thread_core.creds = creds;
	core.thread_core = &thread_core;
	zombie.core = &core;
	if (!err)
		err = state_restore(&zombie, batch);
	if (!err)
		err = task_creds.settle(&zombie, batch);
	return err ? err : batch_run(batch);
}

static int state_settle(struct task_ctx *ctx, struct batch *batch)
{
	const ThreadExtraEntry *extra = ctx->core->thread_core->extra;
	uint32_t domain = ctx->image->core[0]->tc->personality;
	int err = batch_room(batch, 1, 0);

	if (err)
		return err;
	if (extra && extra->has_personality)
		domain = extra->personality;
	batch_must(batch, "set the execution domain", __NR_personality, domain);
	return 0;
}

int task_restore_umask(const FsEntry *fs, struct batch *batch)
{
	int err;

	if (!fs->has_umask)
		return 0;
	err = batch_room(batch, 1, 0);
	if (err)
		return err;
	batch_must(batch, "set the umask", __NR_umask, fs->umask);
	return 0;
}

const struct task_attr task_state = {
	.name = "state",
	.plan = state_plan,
	.queue = state_queue,
	.dump = state_dump,
	.validate = state_validate,
	.restore = state_restore,
	.settle = state_settle,
};
