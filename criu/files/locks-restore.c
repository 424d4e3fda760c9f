/*
 * File locks, on restore.
 *
 * The task that is named takes them itself, under the number that is named: the owner of a POSIX lock is its
 * descriptor table, the number is in the signal of a lease, and what others are told about holders is the
 * process. Nobody waits: a lock that is not free is an error. When all of the tree's are taken, those that
 * wait for one start to do so again.
 *
 * A lease that is being broken is taken whole and broken again, by opening the file without waiting. The
 * signal about that was sent before the dump, so there is nobody to send it to until files_settle().
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "files/files-internal.h"
#include "files/locks.h"
#include "remote/batch.h"

#define LOCKS_AT_A_TIME 64

/* The locks of one task, in the order of the images. */
struct lock_chain {
	const FileLockEntry *lock;
	const struct made_file *made;
	struct lock_chain *next;
};

/* A call that may be the second one for a lock. */
struct lock_call {
	const struct lock_chain *item;
	int op, other_op; /* in the batch; one of them has to succeed */
};

int locks_validate(const struct model *model, const struct options *options)
{
	if (model->file_locks.n && !options->file_locks)
		return fail(EINVAL, "the images have %zu file locks; use --file-locks to take them again",
			    model->file_locks.n);
	return 0;
}

static const char *name_of(const struct made_file *made)
{
	if (made->entry->type == FD_TYPES__REG)
		return made->entry->reg->name;
	return made->kind->name;
}

/* --- who holds it ------------------------------------------------------------------- */

static struct flock range_of(const FileLockEntry *lock)
{
	return (struct flock){
		.l_type = (short)lock->type,
		.l_whence = SEEK_SET,
		.l_start = lock->start,
		.l_len = lock->len,
	};
}

static int conflict_in_range(const struct lock_chain *item)
{
	const FileLockEntry *lock = item->lock;
	struct flock other = range_of(lock);
	const char *what = lock->type == F_WRLCK ? "write" : "read";

	if (fcntl(item->made->fd, F_GETLK, &other) || other.l_type == F_UNLCK)
		return fail(EAGAIN, "%s: the %s lock at %" PRIi64 " is not free", name_of(item->made), what,
			    lock->start);
	if (other.l_pid <= 0)
		return fail(EAGAIN, "%s: the %s lock at %" PRIi64 " is not free: an open file outside the tree has it",
			    name_of(item->made), what, lock->start);
	return fail(EAGAIN, "%s: the %s lock at %" PRIi64 " is not free: process %d has it", name_of(item->made), what,
		    lock->start, other.l_pid);
}

static int explain(const struct lock_chain *item, int err)
{
	const char *name = name_of(item->made);

	LOG_SCOPE("fd", item->lock->fd);
	if (err != -EAGAIN && err != -EACCES)
		return fail(-err, "%s: cannot lock it", name);
	if (item->lock->flag == FILE_LOCK_FLOCK)
		return fail(EAGAIN, "%s: the flock is not free: lslocks(8) tells who has one", name);
	if (item->lock->flag != FILE_LOCK_LEASE)
		return conflict_in_range(item);
	if (err == -EACCES)
		return fail(EACCES, "%s: the lease on another user's file needs CAP_LEASE", name);
	return fail(EAGAIN, "%s: no lease is to be had: somebody else has it open", name);
}

/* --- taking ------------------------------------------------------------------------- */

static int queue_range(struct batch *batch, const FileLockEntry *lock)
{
	struct flock range = range_of(lock);
	struct remote_addr at = batch_data(batch, &range, sizeof(range));

	return batch_add(batch, SYS_fcntl, lock->fd, lock->flag == FILE_LOCK_OFD ? F_OFD_SETLK : F_SETLK, at.v);
}

static struct lock_call queue_lock(struct batch *batch, const struct lock_chain *item)
{
	const FileLockEntry *lock = item->lock;
	struct lock_call call = { .item = item };

	if (lock->flag == FILE_LOCK_FLOCK) {
		call.op = batch_add(batch, SYS_flock, lock->fd, (lock->type == F_WRLCK ? LOCK_EX : LOCK_SH) | LOCK_NB);
	} else if (lock->flag == FILE_LOCK_LEASE && (lock->type & FILE_LOCK_BREAKING)) {
		/* Which of them it was can't be seen; with the stronger one everybody waits who did. */
		call.other_op = batch_add(batch, SYS_fcntl, lock->fd, F_SETLEASE, F_RDLCK);
		call.op = batch_add(batch, SYS_fcntl, lock->fd, F_SETLEASE, F_WRLCK);
		return call;
	} else if (lock->flag == FILE_LOCK_LEASE) {
		call.op = batch_add(batch, SYS_fcntl, lock->fd, F_SETLEASE, lock->type);
	} else {
		call.op = queue_range(batch, lock);
	}
	call.other_op = call.op;
	return call;
}

static int break_lease(const struct lock_chain *item)
{
	int target = item->lock->type & ~(uint32_t)FILE_LOCK_BREAKING;
	auto_fd int fd = file_reopen(item->made->fd, (target == F_RDLCK ? O_RDONLY : O_WRONLY) | O_NONBLOCK);

	if (fd != -EWOULDBLOCK || fcntl(item->made->fd, F_GETLEASE) != target)
		return fail(EINVAL, "%s: cannot break its lease again", name_of(item->made));
	return 0;
}

/* Taking a lease made the task the signal owner of the file. Who really is one comes in files_settle(). */
static int finish_lease(const struct lock_chain *item)
{
	if (fcntl(item->made->fd, F_SETOWN, 0))
		return fail_errno("%s: clear the signal owner", name_of(item->made));
	return item->lock->type & FILE_LOCK_BREAKING ? break_lease(item) : 0;
}

static int finish(const struct batch *batch, const struct lock_call *call)
{
	long ret = batch_ret(batch, call->op);

	if (ret < 0 && batch_ret(batch, call->other_op) < 0)
		return explain(call->item, (int)ret);
	return call->item->lock->flag == FILE_LOCK_LEASE ? finish_lease(call->item) : 0;
}

static int take_some(struct batch *batch, const struct lock_chain **items)
{
	struct lock_call calls[LOCKS_AT_A_TIME];
	size_t n = 0;
	int err = batch_room(batch, 2 * LOCKS_AT_A_TIME, LOCKS_AT_A_TIME * sizeof(struct flock));

	if (err)
		return err;
	for (; *items && n < LOCKS_AT_A_TIME; *items = (*items)->next)
		calls[n++] = queue_lock(batch, *items);
	err = batch_run(batch);
	for (size_t i = 0; i < n && !err; i++)
		err = finish(batch, &calls[i]);
	return err;
}

/* --- of which task ------------------------------------------------------------------ */

static int made_for(const struct files_restore *ctx, const FileLockEntry *lock, const struct made_file **ret)
{
	const struct task_image *task = model_task(ctx->model, lock->pid);
	const FdinfoEntry *slot = task ? files_slot(ctx, task->ids->files_id, lock->fd) : NULL;
	const struct made_file *made = slot ? files_made(ctx, slot->id) : NULL;

	if (!made)
		return fail(ENOENT, "task %d: descriptor %d is to be locked and was not made", lock->pid, lock->fd);
	/* Its signal owner is somebody else's. */
	if (made->inherited && lock->flag == FILE_LOCK_LEASE)
		return fail(ENOTSUP, "%s: no lease can be taken on what --inherit-fd gives", name_of(made));
	*ret = made;
	return 0;
}

static int index_locks(struct files_restore *ctx)
{
	struct hash *locks = &ctx->state->locks;
	int err = 0;

	for (size_t i = ctx->model->file_locks.n; i > 0 && !err; i--) {
		const FileLockEntry *lock = ctx->model->file_locks.data[i - 1];
		struct lock_chain *item = arena_new_of(ctx->model->arena, struct lock_chain);

		item->lock = lock;
		item->next = hash_get(locks, lock->pid, 0);
		err = made_for(ctx, lock, &item->made);
		hash_put(locks, lock->pid, 0, item);
	}
	return err;
}

int locks_take(struct files_restore *ctx, struct remote_process *process)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	const struct lock_chain *items;
	int err = 0;

	if (!ctx->model->file_locks.n)
		return 0;
	if (!ctx->state->locks.n_used)
		err = index_locks(ctx);
	items = hash_get(&ctx->state->locks, process->pid, 0);
	if (!err && items)
		err = batch_new(process->driver, &batch);
	while (items && !err)
		err = take_some(batch, &items);
	return err;
}
