/* File locks: who holds them, through which descriptor, and what of the file. */
#include <fcntl.h>
#include <inttypes.h>

#include "image/image-check.h"
#include "util/log.h"

static bool is_known_type(const FileLockEntry *lock)
{
	switch (lock->flag) {
	case FILE_LOCK_LEASE:
		return lock->type == F_RDLCK || lock->type == F_WRLCK || lock->type == (FILE_LOCK_BREAKING | F_RDLCK) ||
		       lock->type == (FILE_LOCK_BREAKING | F_UNLCK);
	case FILE_LOCK_POSIX:
	case FILE_LOCK_FLOCK:
	case FILE_LOCK_OFD:
		return lock->type == F_RDLCK || lock->type == F_WRLCK;
	default:
		return false;
	}
}

static int check_lock(const struct model *model, const struct hash *slots, const FileLockEntry *lock)
{
	const struct task_image *task = lock->pid > 0 ? model_task(model, lock->pid) : NULL;

	if (!task || !task->ids)
		return fail(EINVAL, "filelocks.img: task %d, which holds a lock, is not there", lock->pid);
	if (lock->fd < 0 || !hash_get(slots, task->ids->files_id, lock->fd))
		return fail(EINVAL, "filelocks.img: task %d: descriptor %d, which has a lock, is not there", lock->pid,
			    lock->fd);
	if (!is_known_type(lock))
		return fail(EINVAL, "filelocks.img: task %d: descriptor %d: lock of kind %" PRIu32 ", type %" PRIu32,
			    lock->pid, lock->fd, lock->flag, lock->type);
	if (lock->start < 0 || lock->len < 0 || lock->start > INT64_MAX - lock->len)
		return fail(EINVAL, "filelocks.img: task %d: descriptor %d: %" PRIi64 " bytes at %" PRIi64 " locked",
			    lock->pid, lock->fd, lock->len, lock->start);
	return 0;
}

static void collect_slots(const struct model *model, struct hash *slots)
{
	for (size_t t = 0; t < model->fdtables.n; t++) {
		const struct fdtable_image *table = &model->fdtables.data[t];

		for (size_t i = 0; i < table->n_fds; i++)
			hash_put(slots, table->files_id, table->fds[i]->fd, table->fds[i]);
	}
}

int image_check_locks(const struct model *model)
{
	struct hash slots = { 0 };
	int err = 0;

	if (!model->file_locks.n)
		return 0;
	collect_slots(model, &slots);
	for (size_t i = 0; i < model->file_locks.n && !err; i++)
		err = check_lock(model, &slots, model->file_locks.data[i]);
	hash_free(&slots);
	return err;
}
