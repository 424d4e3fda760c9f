#include "task/attrs.h"

#include <signal.h>
#include <sys/wait.h>

#include "arch.h"
#include "util/log.h"

/*
 * The order is the order of restore and, again from the top, of settle.
 *
 * Pending signals come before timers, so that what a timer sends is not taken
 * for an artefact. What needs privileges comes before credentials; filters,
 * too, since the tracer suspends them. Changed credentials reset the
 * parent-death signal and make the process undumpable, so these follow.
 * Interval timers run from the last call on.
 */
const struct task_attr *const task_attrs[] = {
	&task_registers,    &task_state,     &task_sigactions,	 &task_altstack,  &task_mm_flags, &task_pkeys,
	&task_sched,	    &task_autogroup, &task_policy,	 &task_mempolicy, &task_thread,	  &task_pending,
	&task_posix_timers, &task_limits,    &task_no_new_privs, &task_seccomp,	  &task_creds,	  &task_after_creds,
	&task_itimers,	    &task_keys,	     &task_landlock,
};
const size_t task_attrs_len = ARRAY_SIZE(task_attrs);

pid_t task_image_tid(const struct task_ctx *ctx, pid_t tid)
{
	const struct remote_process *process = ctx->thread->process;
	const PstreeEntry *pstree = ctx->image->pstree;

	for (size_t i = 0; pstree && i < process->n_threads && i < pstree->n_threads; i++)
		if (process->threads[i].tid == tid)
			return (pid_t)pstree->threads[i];
	return tid;
}

int task_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	LOG_SCOPE("thread", ctx->thread->tid);

	for (size_t i = 0; i < task_attrs_len; i++) {
		int err = task_attrs[i]->plan ? task_attrs[i]->plan(ctx, refusals) : 0;

		if (err)
			return err;
	}
	return 0;
}

/* One thread's calls on their way. */
struct run {
	struct task_ctx *ctx;
	struct batch *batch;
	void *priv[ARRAY_SIZE(task_attrs)];
};

typedef int (*run_step)(struct run *run);

/* Enough to hide that a thread on another processor takes a while to start and to be seen stopping. */
#define THREADS_AT_A_TIME 32

/* What can't be dumped of one thread is no reason not to look at the others. */
static int only_refused(const struct task_ctx *ctx, int err)
{
	return ctx->refusals ? refuse_if_refusal(ctx->refusals, err) : err;
}

/*
 * What was begun is ended also after an error: a thread must not be left
 * running calls of ours.
 */
static int run_some(struct task_ctx *const *ctxs, size_t n, run_step begin, run_step end)
{
	struct run runs[THREADS_AT_A_TIME] = { 0 };
	size_t begun = 0;
	int err = 0;

	for (; !err && begun < n; begun++) {
		LOG_SCOPE("task", ctxs[begun]->thread->process->pid);
		LOG_SCOPE("thread", ctxs[begun]->thread->tid);
		runs[begun].ctx = ctxs[begun];
		err = batch_new(ctxs[begun]->thread, &runs[begun].batch);
		if (!err)
			err = begin(&runs[begun]);
		if (!err)
			err = batch_start(runs[begun].batch);
		if (err)
			batch_freep(&runs[begun].batch);
		err = only_refused(ctxs[begun], err);
	}
	for (size_t i = 0; i < begun; i++) {
		LOG_SCOPE("task", ctxs[i]->thread->process->pid);
		LOG_SCOPE("thread", ctxs[i]->thread->tid);
		int end_err;

		if (!runs[i].batch)
			continue;
		end_err = batch_wait(runs[i].batch);
		if (!end_err && !err && end)
			end_err = only_refused(ctxs[i], end(&runs[i]));
		batch_freep(&runs[i].batch);
		err = err ? err : end_err;
	}
	return err;
}

/* Leaders, or all others, of the given threads. */
static int run_those(struct task_ctx *ctxs, size_t n, bool leaders, run_step begin, run_step end)
{
	struct task_ctx *some[THREADS_AT_A_TIME];
	size_t n_some = 0;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		if (ctxs[i].leader == leaders)
			some[n_some++] = &ctxs[i];
		if (n_some < THREADS_AT_A_TIME)
			continue;
		err = run_some(some, n_some, begin, end);
		n_some = 0;
	}
	return err ? err : run_some(some, n_some, begin, end);
}

/* Leaders last: what is kept once per process must not be reset by another thread's credentials. */
static int run_threads(struct task_ctx *ctxs, size_t n, run_step begin, run_step end)
{
	int err = run_those(ctxs, n, false, begin, end);

	return err ? err : run_those(ctxs, n, true, begin, end);
}

static int dump_begin(struct run *run)
{
	struct task_ctx *ctx = run->ctx;
	CoreEntry *core = ctx->core;
	int err = 0;

	core->mtype = ARCH_MTYPE;
	core->thread_core = model_new(ctx->model, ThreadCoreEntry, thread_core_entry__init);
	if (ctx->leader)
		core->tc = model_new(ctx->model, TaskCoreEntry, task_core_entry__init);
	for (size_t i = 0; !err && i < task_attrs_len; i++)
		if (task_attrs[i]->queue)
			err = task_attrs[i]->queue(ctx, run->batch, &run->priv[i]);
	return err;
}

static int dump_end(struct run *run)
{
	int err = 0;

	for (size_t i = 0; !err && i < task_attrs_len; i++)
		if (task_attrs[i]->dump)
			err = task_attrs[i]->dump(run->ctx, run->batch, run->priv[i]);
	return err;
}

int task_dump(struct task_ctx *ctxs, size_t n)
{
	return run_threads(ctxs, n, dump_begin, dump_end);
}

static int validate_extra(const TaskExtraEntry *extra)
{
	if (extra->exit_signal >= _NSIG)
		return fail(EINVAL, "Bad exit signal %u", extra->exit_signal);
	return extra->creds ? creds_check(extra->creds) : 0;
}

/* The wait status of a zombie: an exit code, or a signal that kills unless it is handled. */
static int validate_exit_code(uint32_t status)
{
	const uint64_t harmless = signo_bit(SIGCHLD) | signo_bit(SIGURG) | signo_bit(SIGWINCH) | signo_bit(SIGCONT) |
				  signo_bit(SIGSTOP) | signo_bit(SIGTSTP) | signo_bit(SIGTTIN) | signo_bit(SIGTTOU);
	int signo = WTERMSIG(status);
	bool valid =
		signo ? !(status & ~0xffU) && signo < _NSIG && !(signo_bit(signo) & harmless) : !(status & ~0xff00U);

	return valid ? 0 : fail(EINVAL, "Bad wait status %#x of a zombie", status);
}

int task_validate(const struct task_ctx *ctx)
{
	if (ctx->leader && !ctx->core->tc)
		return fail(EINVAL, "The image of a process lacks its task part");
	if (ctx->leader && ctx->core->tc->extra) {
		int err = validate_extra(ctx->core->tc->extra);

		if (err)
			return err;
	}
	if (ctx->leader && ctx->core->tc->task_state == TASK_STATE_DEAD)
		return validate_exit_code(ctx->core->tc->exit_code);
	if (!ctx->core->thread_core)
		return fail(EINVAL, "The image of a thread lacks its thread part");
	for (size_t i = 0; i < task_attrs_len; i++) {
		int err = task_attrs[i]->validate ? task_attrs[i]->validate(ctx) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int restore_begin(struct run *run)
{
	int err = 0;

	for (size_t i = 0; !err && i < task_attrs_len; i++)
		if (task_attrs[i]->restore)
			err = task_attrs[i]->restore(run->ctx, run->batch);
	return err;
}

static int settle_begin(struct run *run)
{
	int err = 0;

	for (size_t i = 0; !err && i < task_attrs_len; i++)
		if (task_attrs[i]->settle)
			err = task_attrs[i]->settle(run->ctx, run->batch);
	return err;
}

int task_restore(struct task_ctx *ctxs, size_t n)
{
	return run_threads(ctxs, n, restore_begin, NULL);
}

int task_settle(struct task_ctx *ctxs, size_t n)
{
	return run_threads(ctxs, n, settle_begin, NULL);
}
