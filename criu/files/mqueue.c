/*
 * Descriptors of POSIX message queues, mq_open(3).
 *
 * The kernel keeps, of a description: access, O_NONBLOCK, a position (of the text that read(2) gives). Of the
 * queue, an inode on a file system of the IPC namespace, mounted or not: name, sizes, owner, mode, the
 * messages, and who is to be told of the next one (mqueue-notify.c). All can be seen from outside but the
 * messages, which only receiving shows.
 *
 * A queue with a name is a file: it stays where it is, and what others have made of it by the time of the
 * restore counts. One without a name is the tree's alone, else it is refused; its messages
 * are taken at the commit (mqueue-take.c). Lost: times of the inode; whose RLIMIT_MSGQUEUE it counts
 * against, if that is not its owner's.
 */
#include <inttypes.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "files/mqueue.h"

struct mqueue_dump {
	VEC(int) fds; /* of the unlinked ones, for reading and writing; owned; and what is to be known of them: */
	VEC(struct mqueue_note) notes;
};

/* --- dump ------------------------------------------------------------------ */

static bool mqueue_match(const struct file_desc *desc)
{
	return desc->inode && desc->inode->fs_magic == FS_MAGIC_MQUEUE && S_ISREG(desc->st.st_mode) &&
	       !(desc->info.flags & O_PATH);
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static void keep_for_commit(struct files_dump *ctx, const MqueueEntry *queue, int *fd)
{
	struct files_dump_state *state = files_dump_state(ctx);

	if (!state->mqueues)
		state->mqueues = arena_new_of(ctx->model->arena, struct mqueue_dump);
	VEC_PUSH(&state->mqueues->fds, take_fd(fd));
	*VEC_ADD(&state->mqueues->notes) = (struct mqueue_note){ queue->id, queue->msgsize };
}

static int plan_queue(struct files_dump *ctx, const struct file_desc *desc, const char *path)
{
	MqueueEntry *queue = model_new(ctx->model, MqueueEntry, mqueue_entry__init);
	auto_fd int fd = file_reopen(desc->fd, O_RDWR | O_NONBLOCK);
	char boot_id[PROC_BOOT_ID_BYTES];
	struct mq_attr attr;
	int err;

	if (fd < 0)
		return fail(-fd, "%s: open the queue", path);
	if (mq_getattr(fd, &attr))
		return fail_errno("%s: mq_getattr", path);
	queue->id = desc->inode->id;
	queue->name = arena_strdup(ctx->model->arena, base_name(path));
	queue->unlinked = !desc->st.st_nlink;
	queue->maxmsg = (uint32_t)attr.mq_maxmsg;
	queue->msgsize = (uint32_t)attr.mq_msgsize;
	queue->curmsgs = (uint32_t)attr.mq_curmsgs;
	queue->mode = desc->st.st_mode & ALLPERMS;
	queue->uid = desc->st.st_uid;
	queue->gid = desc->st.st_gid;
	queue->dev = desc->st.st_dev;
	queue->ino = desc->st.st_ino;
	if (proc_read_boot_id(boot_id))
		queue->boot_id = arena_strdup(ctx->model->arena, boot_id);
	VEC_PUSH(&ctx->model->mqueues, queue);
	err = mqueue_plan_told(ctx, desc, fd, queue);
	if (!err && queue->unlinked)
		keep_for_commit(ctx, queue, &fd);
	return err;
}

static int mqueue_plan(struct files_dump *ctx, struct file_desc *desc)
{
	MqueueFileEntry *file = model_new(ctx->model, MqueueFileEntry, mqueue_file_entry__init);
	const char *path = file_path(ctx->model->arena, desc->link, &desc->st);
	int err;

	desc->entry->mqueue = file;
	file->id = desc->entry->id;
	file->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	file->queue_id = desc->inode->id;
	file->has_pos = desc->info.pos != 0;
	file->pos = (uint64_t)desc->info.pos;
	if (base_name(path) != path + 1)
		file->path = (char *)path;
	err = fown_dump(ctx, desc, &file->fown);
	if (err || model_mqueue(ctx->model, file->queue_id))
		return err;
	return plan_queue(ctx, desc, path);
}

static int mqueue_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	MqueueEntry *queue = model_mqueue(ctx->model, desc->entry->mqueue->queue_id);

	if (queue->notify)
		mqueue_resolve_told(ctx, desc, queue);
	return 0;
}

void mqueues_takings(struct files_dump *ctx, void *notes, size_t bytes, struct guard_takings *ret)
{
	const struct mqueue_dump *mqueues = files_dump_state(ctx)->mqueues;
	struct mqueue_notes *shared = notes;
	size_t room = (bytes - sizeof(*shared)) / sizeof(shared->of[0]);

	*ret = (struct guard_takings){ .take = mqueue_take_all, .give_back = mqueue_give_all_back };
	if (!mqueues)
		return;
	ret->fds = mqueues->fds.data;
	ret->n = mqueues->fds.n;
	if (shared)
		memcpy(shared->of, mqueues->notes.data, min_u64(room, ret->n) * sizeof(shared->of[0]));
}

void mqueue_dump_free(struct files_dump_state *state)
{
	struct mqueue_dump *mqueues = state->mqueues;

	for (size_t i = 0; mqueues && i < mqueues->fds.n; i++)
		close(mqueues->fds.data[i]);
	if (mqueues) {
		VEC_FREE(&mqueues->fds);
		VEC_FREE(&mqueues->notes);
	}
}

/* --- restore ---------------------------------------------------------------- */

static int mqueue_validate(const struct model *model, const FileEntry *entry)
{
	const MqueueFileEntry *file = entry->mqueue;

	if (!file || file->id != entry->id)
		return fail(EINVAL, "message queue without its entry");
	if ((file->flags & O_ACCMODE) == O_ACCMODE || (file->flags & O_PATH))
		return fail(EINVAL, "message queue: flags %#" PRIx32, file->flags);
	if (file->pos > INT64_MAX || (file->path && file->path[0] != '/'))
		return fail(EINVAL, "message queue: position %" PRIu64 ", path %s", file->pos, file->path ?: "");
	return model_mqueue(model, file->queue_id) ? 0 : fail(EINVAL, "queue %" PRIu32 " is missing", file->queue_id);
}

static int keep_open(struct files_restore_state *state, uint32_t queue_id, uint64_t file_id, int fd)
{
	VEC_PUSH(&state->all_opened, fd);
	hash_put(&state->mqueues, queue_id, file_id, (void *)(intptr_t)(fd + 1));
	return fd;
}

int mqueue_open_files(struct files_restore *ctx, const MqueueEntry *queue, const char *name)
{
	for (size_t i = 0; i < ctx->model->files.n; i++) {
		const FileEntry *entry = ctx->model->files.data[i];
		int fd;

		if (entry->type != FD_TYPES__MQUEUE || entry->mqueue->queue_id != queue->id)
			continue;
		fd = mqueue_open_name(name, (int)entry->mqueue->flags & (O_ACCMODE | O_NONBLOCK), 0, NULL);
		if (fd < 0)
			return fail(-fd, "POSIX message queue /%s: open it", name);
		keep_open(ctx->state, queue->id, entry->id, fd);
	}
	return 0;
}

/* Of the queue itself, for reading and writing. */
static int queue_fd(struct files_restore *ctx, const MqueueEntry *queue)
{
	struct files_restore_state *state = files_restore_state(ctx);
	void *known = hash_get(&state->mqueues, queue->id, MQUEUE_ITSELF);
	int fd;

	if (known)
		return (int)(intptr_t)known - 1;
	fd = mqueue_open(ctx, queue);
	return fd < 0 ? fd : keep_open(state, queue->id, MQUEUE_ITSELF, fd);
}

/* By the path of a mounted file system, if that leads to the queue. */
static int open_by_path(const char *path, int flags, int queue)
{
	auto_fd int fd = path ? open(path, flags | O_CLOEXEC) : -1;

	return fd >= 0 && inode_same(fd, queue) == 1 ? take_fd(&fd) : file_reopen(queue, flags);
}

/* Whoever opens by path has O_LARGEFILE, which can't be taken off. */
static int open_again(struct files_restore *ctx, const MqueueFileEntry *file, int queue)
{
	const int flags = (int)file->flags & (O_ACCMODE | O_NONBLOCK);
	void *opened = hash_get(&ctx->state->mqueues, file->queue_id, file->id);
	int fd = -ENOENT;

	if (file->flags & FILE_FLAG_LARGEFILE)
		return open_by_path(file->path, flags, queue);
	if (opened)
		fd = fcntl((int)(intptr_t)opened - 1, F_DUPFD_CLOEXEC, 0);
	return fd == -1 ? -errno : fd;
}

static int mqueue_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const MqueueFileEntry *file = entry->mqueue;
	int queue = queue_fd(ctx, model_mqueue(ctx->model, file->queue_id));
	auto_fd int fd = queue < 0 ? -1 : open_again(ctx, file, queue);

	if (queue < 0)
		return queue;
	if (fd < 0)
		return fail(-fd, "message queue: open it once more");
	if (fcntl(fd, F_SETFL, file->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("message queue: F_SETFL");
	if (file->pos && lseek(fd, (off_t)file->pos, SEEK_SET) < 0)
		return fail_errno("message queue: position %" PRIu64, file->pos);
	ret->fd = take_fd(&fd);
	return 0;
}

const struct file_kind mqueue_kind = {
	.type = FD_TYPES__MQUEUE,
	.name = "POSIX message queue",
	.match = mqueue_match,
	.plan = mqueue_plan,
	.resolve = mqueue_resolve,
	.validate = mqueue_validate,
	.make = mqueue_make,
};
