/*
 * Who is told that a message has come into an empty POSIX message queue, mq_notify(3).
 *
 * The kernel keeps one registration a queue: process, kind, signal and a value that comes with the signal. It ends when a message
 * comes, and when its process closes a descriptor of the queue. read(2) on one shows all but the value. So the signal
 * comes without one after a restore. Where somebody could look at it, the dump is refused: a handler with
 * SA_SIGINFO, or a signal that is blocked and has no handler, which sigwaitinfo(2) or a signalfd are for.
 *
 * With SIGEV_THREAD the kernel writes to a netlink socket of the C library's: refused.
 *
 * Restore: the process makes the call again, when it has all of its descriptors and closes none any more. If a
 * message came while the tree was away, the signal is sent instead.
 */
#include <inttypes.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "files/files-internal.h"
#include "files/mqueue.h"
#include "remote/batch.h"
#include "task/task.h"

bool mqueue_parse_told(const char *text, struct mqueue_told *ret)
{
	unsigned long bytes;

	return sscanf(text, "QSIZE:%lu NOTIFY:%d SIGNO:%d NOTIFY_PID:%d", &bytes, &ret->kind, &ret->signo, &ret->pid) ==
	       4;
}

int mqueue_read_told(int fd, struct mqueue_told *ret)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return fail_errno("POSIX message queue: read its state");
	text[n] = '\0';
	return mqueue_parse_told(text, ret) ? 0 : fail(EINVAL, "POSIX message queue: unknown state \"%s\"", text);
}

/* --- dump ---------------------------------------------------------------------- */

int mqueue_plan_told(struct files_dump *ctx, const struct file_desc *desc, int fd, MqueueEntry *queue)
{
	struct mqueue_told told;
	int err = mqueue_read_told(fd, &told);

	/* Somebody else's registration lives on with the queue. */
	if (err || !told.pid || !files_process(ctx, told.pid))
		return err;
	if (told.kind != SIGEV_SIGNAL && told.kind != SIGEV_NONE) {
		refuse(ctx->refusals,
		       "POSIX message queue %s: process %d is to be told of a message in a thread (mq_notify(3), "
		       "SIGEV_THREAD): not supported; have it take that back before the dump",
		       desc->link, told.pid);
		return 0;
	}
	/* Putting messages back into it, as into any empty queue, would use up the registration. */
	if (queue->unlinked && queue->curmsgs) {
		refuse_passing(ctx->refusals,
			       "POSIX message queue %s: it has no name, %" PRIu32
			       " messages wait in it, and process %d is to be told of the next (mq_notify(3)): not "
			       "supported; have them received before the dump",
			       desc->link, queue->curmsgs, told.pid);
		return 0;
	}
	queue->notify = model_new(ctx->model, MqueueNotifyEntry, mqueue_notify_entry__init);
	queue->notify->pid = (uint32_t)told.pid;
	queue->notify->kind = (uint32_t)told.kind;
	queue->notify->signo = (uint32_t)told.signo;
	return 0;
}

/* The model has no indices yet. */
static bool is_of_queue(const struct model *model, const FdinfoEntry *slot, uint32_t queue_id)
{
	for (size_t i = 0; slot->type == FD_TYPES__MQUEUE && i < model->files.n; i++)
		if (model->files.data[i]->id == slot->id)
			return model->files.data[i]->mqueue->queue_id == queue_id;
	return false;
}

static const FdinfoEntry *slot_of(const struct model *model, uint32_t pid, uint32_t queue_id)
{
	const struct fdtable_image *table = NULL;

	for (size_t i = 0; i < model->tasks.n && !table; i++)
		if (model->tasks.data[i].pstree->pid == pid && model->tasks.data[i].ids)
			table = model_fdtable(model, model->tasks.data[i].ids->files_id);
	for (size_t i = 0; table && i < table->n_fds; i++)
		if (is_of_queue(model, table->fds[i], queue_id))
			return table->fds[i];
	return NULL;
}

void mqueue_resolve_told(struct files_dump *ctx, const struct file_desc *desc, MqueueEntry *queue)
{
	const FdinfoEntry *slot = slot_of(ctx->model, queue->notify->pid, queue->id);

	if (slot)
		queue->notify->fd = slot->fd;
	else
		refuse(ctx->refusals,
		       "POSIX message queue %s: process %" PRIu32 " is to be told of a message (mq_notify(3)) but has "
		       "no descriptor of it any more: not supported; have "
		       "it open the queue and take that back (mq_notify with NULL), or end it, before the dump",
		       desc->link, queue->notify->pid);
}

static bool is_blocked(const struct task_image *task, uint32_t signo)
{
	for (size_t i = 0; i < task->n_core; i++)
		if (task->core[i]->thread_core->blk_sigset & 1UL << (signo - 1))
			return true;
	return false;
}

/* The images leave out the two signals that no handler can have. */
static const SaEntry *action_of(const struct task_image *task, uint32_t signo)
{
	const TaskCoreEntry *tc = task->core[0]->tc;
	size_t i = signo - 1 - (signo > SIGKILL) - (signo > SIGSTOP);

	return signo == SIGKILL || signo == SIGSTOP || i >= tc->n_sigactions ? NULL : tc->sigactions[i];
}

static void check_told(struct files_dump *ctx, const MqueueEntry *queue)
{
	const struct task_image *task = model_task(ctx->model, queue->notify->pid);
	const uint32_t signo = queue->notify->signo;
	const SaEntry *action = task && task->n_core && signo ? action_of(task, signo) : NULL;
	const bool has_handler = action && action->sigaction > (uintptr_t)SIG_IGN;

	if (!action)
		return;
	LOG_SCOPE("task", queue->notify->pid);
	LOG_SCOPE("fd", queue->notify->fd);
	if (has_handler ? action->flags & SA_SIGINFO : is_blocked(task, signo))
		refuse(ctx->refusals,
		       "POSIX message queue /%s: it is to be told of a message by signal %" PRIu32
		       " (mq_notify(3)) and %s, so that it may look at the value that comes with it, which can't be "
		       "seen before: not supported; have it take that back before the dump",
		       queue->name, signo,
		       has_handler ? "has a handler with SA_SIGINFO" : "waits for it (sigwaitinfo(2), signalfd(2))");
	else
		pr_warn("POSIX message queue /%s: the value that comes with signal %" PRIu32
			" (mq_notify(3)) is 0 after restore",
			queue->name, signo);
}

void mqueues_check_told(struct files_dump *ctx)
{
	for (size_t i = 0; i < ctx->model->mqueues.n; i++)
		if (ctx->model->mqueues.data[i]->notify)
			check_told(ctx, ctx->model->mqueues.data[i]);
}

/* --- restore ------------------------------------------------------------------- */

/* NULL: no longer. */
static int call(struct remote_process *process, uint32_t fd, const struct sigevent *event, long *ret)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int op, err = batch_new(process->driver, &batch);

	err = err ?: batch_room(batch, 1, sizeof(*event));
	if (err)
		return err;
	op = batch_add(batch, SYS_mq_notify, fd, event ? batch_data(batch, event, sizeof(*event)).v : 0);
	err = batch_run(batch);
	if (!err)
		*ret = batch_ret(batch, op);
	return err;
}

/* As the kernel does it. */
static void add_signal(const struct model *model, const MqueueNotifyEntry *notify)
{
	siginfo_t info = { .si_signo = (int)notify->signo, .si_code = SI_MESGQ };

	if (notify->kind == SIGEV_SIGNAL && notify->signo)
		task_add_pending(model, model_task(model, notify->pid), &info);
}

/* Who is registered is told of what comes from now on; what is there already came while nobody was. */
static int catch_up(const struct model *model, struct remote_process *process, const MqueueEntry *queue, int fd)
{
	struct mqueue_told told;
	struct mq_attr attr;
	long ret;
	int err;

	if (queue->unlinked || queue->curmsgs)
		return 0;
	if (mq_getattr(fd, &attr))
		return fail_errno("mq_getattr");
	err = mqueue_read_told(fd, &told);
	if (err || !attr.mq_curmsgs || told.pid != process->pid)
		return err;
	err = call(process, queue->notify->fd, NULL, &ret);
	if (!err)
		add_signal(model, queue->notify);
	return err;
}

static int notify(struct files_restore *ctx, struct remote_process *process, const MqueueEntry *queue)
{
	const MqueueNotifyEntry *entry = queue->notify;
	struct sigevent event = { .sigev_notify = (int)entry->kind, .sigev_signo = (int)entry->signo };
	void *fd = hash_get(&files_restore_state(ctx)->mqueues, queue->id, MQUEUE_ITSELF);
	long ret;
	int err = fd ? call(process, entry->fd, &event, &ret) : -EINVAL;

	if (err)
		return err;
	if (ret == -EBUSY)
		return fail(EBUSY,
			    "POSIX message queue /%s: another process has asked to be told of its messages by now, so "
			    "process %d can't any more (mq_notify(3))",
			    queue->name, process->pid);
	if (ret)
		return fail((int)-ret, "POSIX message queue /%s: mq_notify in process %d", queue->name, process->pid);
	return catch_up(ctx->model, process, queue, (int)(intptr_t)fd - 1);
}

int mqueues_notify(struct files_restore *ctx, struct remote_process *process)
{
	int err = 0;

	for (size_t i = 0; i < ctx->model->mqueues.n && !err; i++) {
		const MqueueEntry *queue = ctx->model->mqueues.data[i];

		if (queue->notify && queue->notify->pid == (uint32_t)process->pid)
			err = notify(ctx, process, queue);
	}
	return err;
}
