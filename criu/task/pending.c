/*
 * Pending signals.
 *
 * What the kernel keeps: a queue for the process and one for each thread. Both
 * are seen from outside, in order, with all 128 bytes of information. A task
 * may send such information, as if from the kernel or another sender, to
 * itself only: each thread queues its own again, the leader those of the
 * process.
 *
 * A signal below SIGRTMIN that finds no room in its queue (RLIMIT_SIGPENDING) is pending all the same, which only the
 * masks in /proc/PID/status show. Whoever takes it is told that a user sent it, without a number; so it is saved.
 *
 * Not dumped: signals that the task would ignore (a stop keeps them in the
 * queue, a free task never has them). A pending SIGSTOP becomes the stopped
 * state; it can't be blocked and so can't be queued during a restore.
 */
#include "task/attrs.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "util/log.h"

#define SIGINFO_BYTES	    128
#define KERNEL_SIGNALS	    64
#define KERNEL_SIGSET_BYTES 8
#define PEEK_AT_ONCE	    32

_Static_assert(sizeof(siginfo_t) == SIGINFO_BYTES, "siginfo_t is not the kernel's");

typedef VEC(siginfo_t) siginfo_list;

static void siginfo_list_free(siginfo_list *list)
{
	VEC_FREE(list);
}

/* @flags: PTRACE_PEEKSIGINFO_SHARED or 0 */
static int peek(pid_t tid, uint32_t flags, siginfo_list *ret)
{
	for (;;) {
		siginfo_t infos[PEEK_AT_ONCE];
		struct __ptrace_peeksiginfo_args args = { .off = ret->n, .flags = flags, .nr = PEEK_AT_ONCE };
		long n = ptrace(PTRACE_PEEKSIGINFO, tid, &args, infos);

		if (n < 0)
			return fail_errno("Cannot read the pending signals");
		for (long i = 0; i < n; i++)
			VEC_PUSH(ret, infos[i]);
		if (n < PEEK_AT_ONCE)
			return 0;
	}
}

/* --- dump ----------------------------------------------------------------------------- */

static bool is_ignored(const struct task_ctx *ctx, int signo)
{
	static const int ignored_by_default[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH };
	const struct proc_status *status = &ctx->thread->process->status;

	if (ctx->thread->sigmask & signo_bit(signo))
		return false;
	if (status->sig_ignored & signo_bit(signo))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ignored_by_default); i++)
		if (signo == ignored_by_default[i])
			return !(status->sig_caught & signo_bit(signo));
	return false;
}

/*
 * As if it had stopped already, and its parent had not yet looked. Threads
 * come before the leader, whose state is dumped before its pending signals.
 */
static void note_stop(struct task_ctx *ctx, int signo)
{
	struct remote_process *process = ctx->thread->process;

	if (process->state == REMOTE_STOPPED)
		return;
	process->state = REMOTE_STOPPED;
	process->stop_signo = process->stat.exit_code = signo;
	if (ctx->leader)
		state_dump_stop(process, ctx->model, ctx->core->tc);
}

/* Those that are pending without a place in the queue of which @infos are. */
static int add_unqueued(const struct task_ctx *ctx, bool shared, siginfo_list *infos)
{
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	uint64_t pending;
	int err;

	if (!ctx->thread->pending)
		return 0;
	err = proc_read_status(ctx->thread->process->pid, ctx->thread->tid, &status);
	if (err)
		return err;
	pending = shared ? status.shared_pending : status.sig_pending;
	for (size_t i = 0; i < infos->n; i++)
		pending &= ~signo_bit(infos->data[i].si_signo);
	for (int signo = 1; signo <= KERNEL_SIGNALS; signo++)
		if (pending & signo_bit(signo))
			VEC_PUSH(infos, ((siginfo_t){ .si_signo = signo, .si_code = SI_USER }));
	return 0;
}

static int dump_queue(struct task_ctx *ctx, uint32_t flags, SignalQueueEntry **ret)
{
	cleanup_with(siginfo_list_free) siginfo_list infos = { 0 };
	struct arena *arena = ctx->model->arena;
	SignalQueueEntry *queue;
	int err = peek(ctx->thread->tid, flags, &infos);

	if (!err)
		err = add_unqueued(ctx, flags & PTRACE_PEEKSIGINFO_SHARED, &infos);
	if (err)
		return err;
	/* An empty queue is written too: mainline looks for an image of older times where there is none. */
	queue = model_new(ctx->model, SignalQueueEntry, signal_queue_entry__init);
	queue->signals = arena_array(arena, SiginfoEntry *, infos.n);
	for (size_t i = 0; i < infos.n; i++) {
		int signo = infos.data[i].si_signo;
		SiginfoEntry *entry;

		if (signo == SIGSTOP)
			note_stop(ctx, SIGSTOP);
		if (signo == SIGSTOP || signo == SIGKILL || is_ignored(ctx, signo))
			continue;
		entry = model_new(ctx->model, SiginfoEntry, siginfo_entry__init);
		entry->siginfo.len = SIGINFO_BYTES;
		entry->siginfo.data = arena_memdup(arena, &infos.data[i], SIGINFO_BYTES);
		queue->signals[queue->n_signals++] = entry;
	}
	*ret = queue;
	return 0;
}

static int pending_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	int err;

	if (ctx->thread->held_signo)
		note_stop(ctx, ctx->thread->held_signo);
	err = dump_queue(ctx, 0, &ctx->core->thread_core->signals_p);

	if (err || !ctx->leader)
		return err;
	return dump_queue(ctx, PTRACE_PEEKSIGINFO_SHARED, &ctx->core->tc->signals_s);
}

/* --- restore ----------------------------------------------------------------------------- */

static int entry_signo(const SiginfoEntry *entry)
{
	int signo;

	memcpy(&signo, entry->siginfo.data, sizeof(signo));
	return signo;
}

static int validate_queue(const SignalQueueEntry *queue)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++) {
		const SiginfoEntry *entry = queue->signals[i];

		if (entry->siginfo.len != SIGINFO_BYTES)
			return fail(EINVAL, "The information of a pending signal has %zu bytes instead of %d",
				    entry->siginfo.len, SIGINFO_BYTES);
		if (entry_signo(entry) < 1 || entry_signo(entry) > KERNEL_SIGNALS)
			return fail(EINVAL, "Bad pending signal %d", entry_signo(entry));
	}
	return 0;
}

static int pending_validate(const struct task_ctx *ctx)
{
	int err = validate_queue(ctx->core->thread_core->signals_p);

	return err || !ctx->leader ? err : validate_queue(ctx->core->tc->signals_s);
}

static uint64_t queue_signals(const SignalQueueEntry *queue)
{
	uint64_t signals = 0;

	for (size_t i = 0; queue && i < queue->n_signals; i++)
		signals |= signo_bit(entry_signo(queue->signals[i]));
	return signals;
}

uint64_t task_pending_signals(const struct task_image *image)
{
	uint64_t signals = 0;

	for (size_t i = 0; i < image->n_core; i++) {
		const CoreEntry *core = image->core[i];

		if (core->thread_core)
			signals |= queue_signals(core->thread_core->signals_p);
		if (core->tc)
			signals |= queue_signals(core->tc->signals_s);
	}
	return signals;
}

void task_add_pending(const struct model *model, const struct task_image *image, const siginfo_t *info)
{
	TaskCoreEntry *tc = image->core[0]->tc;
	SignalQueueEntry *queue = model_new(model, SignalQueueEntry, signal_queue_entry__init);
	SiginfoEntry *entry = model_new(model, SiginfoEntry, siginfo_entry__init);
	size_t n = tc->signals_s ? tc->signals_s->n_signals : 0;

	queue->signals = arena_array(model->arena, SiginfoEntry *, n + 1);
	if (n)
		memcpy(queue->signals, tc->signals_s->signals, n * sizeof(*queue->signals));
	entry->siginfo.len = SIGINFO_BYTES;
	entry->siginfo.data = arena_memdup(model->arena, info, SIGINFO_BYTES);
	queue->signals[n] = entry;
	queue->n_signals = n + 1;
	tc->signals_s = queue;
}

/*
 * The making of the job has left some: SIGCHLD of children that are zombies in
 * the image, for one. All are taken before the image's are queued.
 */
static int clear_queues(struct task_ctx *ctx, struct batch *batch)
{
	static const uint64_t all = UINT64_MAX;
	static const uint64_t no_time[2];
	cleanup_with(siginfo_list_free) siginfo_list own = { 0 };
	cleanup_with(siginfo_list_free) siginfo_list shared = { 0 };
	size_t n;
	int err = peek(ctx->thread->tid, 0, &own);

	if (!err && ctx->leader)
		err = peek(ctx->thread->tid, PTRACE_PEEKSIGINFO_SHARED, &shared);
	if (err)
		return err;
	n = own.n + shared.n;
	while (n--) {
		err = batch_room(batch, 1, sizeof(all) + sizeof(no_time));
		if (err)
			return err;
		batch_add(batch, __NR_rt_sigtimedwait, batch_data(batch, &all, sizeof(all)).v, 0,
			  batch_data(batch, no_time, sizeof(no_time)).v, KERNEL_SIGSET_BYTES);
	}
	return 0;
}

/* A pending signal can't end batches. Of the others, those below SIGRTMIN can be sent whatever the limits are. */
static void choose_end_signal(struct task_ctx *ctx)
{
	static const int unusable[] = { SIGKILL, SIGSTOP, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU };
	struct remote_process *process = ctx->thread->process;
	uint64_t taken = task_pending_signals(ctx->image);
	int signo = 1;

	if (!process->end_signo || !(taken & signo_bit(process->end_signo)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(unusable); i++)
		taken |= signo_bit(unusable[i]);
	while (signo <= KERNEL_SIGNALS && taken & signo_bit(signo))
		signo++;
	process->end_signo = signo <= KERNEL_SIGNALS ? signo : 0;
}

/* @tid: 0 for the process's queue */
static int settle_queue(struct batch *batch, const TaskCoreEntry *tc, const SignalQueueEntry *queue, pid_t pid,
			pid_t tid)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++) {
		const SiginfoEntry *entry = queue->signals[i];
		int signo = entry_signo(entry);
		struct remote_addr info;
		int err;

		if (signo == SIGKILL || signo == SIGSTOP || task_timer_resends(tc, entry))
			continue;
		err = batch_room(batch, 1, SIGINFO_BYTES);
		if (err)
			return err;
		info = batch_data(batch, entry->siginfo.data, SIGINFO_BYTES);
		if (tid)
			batch_must(batch, "queue a pending signal", __NR_rt_tgsigqueueinfo, pid, tid, signo, info.v);
		else
			batch_must(batch, "queue a pending signal", __NR_rt_sigqueueinfo, pid, signo, info.v);
	}
	return 0;
}

static int pending_settle(struct task_ctx *ctx, struct batch *batch)
{
	const TaskCoreEntry *tc = ctx->image->core[0]->tc;
	pid_t pid = (pid_t)ctx->image->pstree->pid;
	int err;

	choose_end_signal(ctx);
	err = clear_queues(ctx, batch);
	if (!err)
		err = settle_queue(batch, tc, ctx->core->thread_core->signals_p, pid,
				   task_image_tid(ctx, ctx->thread->tid));
	if (err || !ctx->leader)
		return err;
	return settle_queue(batch, tc, tc->signals_s, pid, 0);
}

const struct task_attr task_pending = {
	.name = "pending signals",
	.dump = pending_dump,
	.validate = pending_validate,
	.settle = pending_settle,
};
