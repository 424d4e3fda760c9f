/*
 * Making POSIX message queues again. One with a name that is still there is left as it is; one that is gone is made again if
 * it was empty, since its messages went with it. One without a name is made under the old one, or beside it if that
 * is taken by now, filled, and unlinked. Until then, or until the restore succeeds, the guard knows it.
 *
 * The kernel charges a queue to the user who makes it (RLIMIT_MSGQUEUE), so its owner does, unless limits of his forbid it now.
 */
#include <inttypes.h>
#include <mqueue.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "files/files-internal.h"
#include "files/mqueue.h"
#include "kernel/sysvipc.h"

#define BESIDE_TRIES 100

/* Raw: the C library wants a slash in front, which the kernel does not. */
int mqueue_open_name(const char *name, int flags, mode_t mode, struct mq_attr *attr)
{
	int fd = (int)syscall(SYS_mq_open, name, flags | O_CLOEXEC, mode, attr);

	return fd < 0 ? -errno : fd;
}

static bool is_same(const MqueueEntry *queue, int fd)
{
	char boot_id[PROC_BOOT_ID_BYTES];
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == queue->dev && st.st_ino == queue->ino && queue->boot_id &&
	       proc_read_boot_id(boot_id) && !strcmp(boot_id, queue->boot_id);
}

/* --- what is there ------------------------------------------------------------- */

static int check_queue(const MqueueEntry *queue)
{
	auto_fd int fd = queue->unlinked ? -ENOENT : mqueue_open_name(queue->name, O_RDONLY | O_NONBLOCK, 0, NULL);

	if (queue->unlinked || (fd >= 0 && is_same(queue, fd)))
		return 0;
	if (fd >= 0)
		return fail(EEXIST,
			    "POSIX message queue /%s: the name is another queue's now; remove that one first, if "
			    "nobody "
			    "needs it",
			    queue->name);
	if (fd != -ENOENT)
		return fail(-fd, "POSIX message queue /%s: open it", queue->name);
	if (queue->curmsgs)
		return fail(ENOENT,
			    "POSIX message queue /%s is gone, and with it the %" PRIu32
			    " messages that waited in it: those of a queue with a name are not saved",
			    queue->name, queue->curmsgs);
	return 0;
}

int mqueues_check(const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->mqueues.n && !err; i++)
		err = check_queue(model->mqueues.data[i]);
	return err;
}

/* --- a new one ----------------------------------------------------------------- */

struct wanted {
	const char *name;
	struct mq_attr attr;
};

static int create(const void *arg)
{
	const struct wanted *wanted = arg;
	struct mq_attr attr = wanted->attr;

	return mqueue_open_name(wanted->name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
}

/* Ours does not matter: the tasks have their own. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MSGQUEUE, &limit) || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_MSGQUEUE, &limit))
		pr_debug("cannot raise RLIMIT_MSGQUEUE: %s", strerror(errno));
}

/* -EEXIST is not logged. */
static int create_as_owner(const MqueueEntry *queue, const char *name)
{
	const struct wanted wanted = {
		.name = name,
		.attr = { .mq_maxmsg = queue->maxmsg, .mq_msgsize = queue->msgsize },
	};
	int fd;

	raise_limit();
	fd = sysvipc_make_as(queue->uid, queue->gid, create, &wanted);
	if (fd == -EINVAL || fd == -EMFILE || fd == -ENOSPC || fd == -EACCES)
		fd = create(&wanted);
	if (fd >= 0 || fd == -EEXIST)
		return fd;
	return fail(-fd,
		    "POSIX message queue /%s of %" PRIu32 " messages of %" PRIu32
		    " bytes: make it again (see RLIMIT_MSGQUEUE, and msg_max, msgsize_max and queues_max in "
		    "/proc/sys/fs/mqueue)",
		    name, queue->maxmsg, queue->msgsize);
}

static int add(struct files_restore *ctx, const MqueueEntry *queue, const char *name, int *ret_slot)
{
	int flags = queue->unlinked ? 0 : GUARD_UNTIL_CANCEL;
	struct stat st;
	int fd;

	*ret_slot = guard_mqueue_add(ctx->guard, name, flags);
	if (*ret_slot < 0)
		return *ret_slot;
	fd = create_as_owner(queue, name);
	if (fd < 0)
		guard_name_drop(ctx->guard, *ret_slot);
	else if (!fstat(fd, &st))
		guard_mqueue_made(ctx->guard, *ret_slot, &st);
	return fd;
}

static const MqueueDataEntry *data_of(const struct model *model, const MqueueEntry *queue)
{
	for (size_t i = 0; i < model->mqueue_data.n; i++)
		if (model->mqueue_data.data[i]->queue_id == queue->id)
			return model->mqueue_data.data[i];
	return NULL;
}

static int fill(const struct model *model, const MqueueEntry *queue, int fd)
{
	const MqueueDataEntry *data = data_of(model, queue);

	if (fchown(fd, queue->uid, queue->gid) || fchmod(fd, queue->mode))
		return fail_errno("POSIX message queue /%s: owner and mode", queue->name);
	for (size_t i = 0; data && i < data->n_messages; i++) {
		const MqueueMessageEntry *message = data->messages[i];

		if (mq_send(fd, (const char *)message->text.data, message->text.len, message->priority))
			return fail_errno("POSIX message queue /%s: put a message of %zu bytes into it", queue->name,
					  message->text.len);
	}
	return 0;
}

/* The name is free, or that of somebody else if the queue is to have none: then beside it. */
static int make(struct files_restore *ctx, const MqueueEntry *queue)
{
	auto_free char *name = xstrdup(queue->name);
	int err, slot;
	auto_fd int fd = add(ctx, queue, name, &slot);

	for (int i = 1; fd == -EEXIST && queue->unlinked && i <= BESIDE_TRIES; i++) {
		free(name);
		name = xasprintf("%.200s.criu-%d", queue->name, i);
		fd = add(ctx, queue, name, &slot);
	}
	if (fd == -EEXIST)
		return fail(EEXIST, "POSIX message queue /%s: the name was taken by another process just now",
			    queue->name);
	if (fd < 0)
		return fd;
	err = fill(ctx->model, queue, fd) ?: mqueue_open_files(ctx, queue, name);
	if (queue->unlinked) {
		if (syscall(SYS_mq_unlink, name) && !err)
			err = fail_errno("POSIX message queue /%s: unlink it", name);
		guard_name_drop(ctx->guard, slot);
	}
	return err ? err : take_fd(&fd);
}

int mqueue_open(struct files_restore *ctx, const MqueueEntry *queue)
{
	auto_fd int fd = queue->unlinked ? -ENOENT : mqueue_open_name(queue->name, O_RDWR | O_NONBLOCK, 0, NULL);
	int err;

	if (fd == -ENOENT)
		return make(ctx, queue);
	if (fd < 0)
		return fail(-fd, "POSIX message queue /%s: open it", queue->name);
	if (!is_same(queue, fd))
		return fail(EEXIST, "POSIX message queue /%s: the name is another queue's now", queue->name);
	err = mqueue_open_files(ctx, queue, queue->name);
	return err ? err : take_fd(&fd);
}
