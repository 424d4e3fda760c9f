/*
 * pidfd_open(2).
 *
 * The kernel keeps: the task, and whether one thread of it is meant. fdinfo shows the
 * task's number, or that it has ended and was waited for. Pidfds of tasks of the tree are made
 * when all its processes exist. For a task that is gone, criu has a
 * child that ends at once, the same one for all pidfds of that task, told by their inode.
 *
 * Lost: with what status a task that is gone ended (PIDFD_GET_INFO). Refused:
 * tasks outside the tree, and threads other than the first of their process.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "kernel/syscalls.h"

#define NSPID_GONE (-1)

/* pidfd_open(2): PIDFD_NONBLOCK and PIDFD_THREAD; they are status flags as well. */
#define FLAGS_OPEN (O_NONBLOCK | O_EXCL)

/* --- dump ------------------------------------------------------------------------ */

static bool pidfd_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:[pidfd]") || !strncmp(desc->link, "pidfd:", strlen("pidfd:"));
}

static bool is_later_thread(const struct remote_tree *tree, pid_t tid)
{
	for (size_t i = 0; i < tree->n; i++)
		for (size_t t = 1; t < tree->processes[i]->n_threads; t++)
			if (tree->processes[i]->threads[t].tid == tid)
				return true;
	return false;
}

static void check_task(struct files_dump *ctx, pid_t pid)
{
	if (pid == NSPID_GONE || (pid && files_process(ctx, pid)))
		return;
	if (pid && is_later_thread(ctx->tree, pid))
		refuse(ctx->refusals,
		       "pidfd: it is of thread %d (PIDFD_THREAD): not supported by this version; close it before the "
		       "dump",
		       pid);
	else if (pid)
		refuse(ctx->refusals,
		       "pidfd: it is of task %d outside the tree; close it before the dump, or dump that task, too",
		       pid);
	else
		refuse(ctx->refusals,
		       "pidfd: it is of a task in a pid namespace that is not visible here; close it before the dump");
}

static int pidfd_plan(struct files_dump *ctx, struct file_desc *desc)
{
	PidfdEntry *pidfd = model_new(ctx->model, PidfdEntry, pidfd_entry__init);
	pid_t pid;
	int ret = proc_parse_pidfd(desc->info.text, &pid);

	if (ret)
		return ret;
	check_task(ctx, pid);
	desc->entry->pidfd = pidfd;
	pidfd->id = desc->entry->id;
	pidfd->ino = (uint32_t)desc->st.st_ino;
	pidfd->flags = desc->info.flags & ~(FILE_FLAGS_NEVER & ~O_EXCL);
	pidfd->nspid = pid;
	return fown_dump(ctx, desc, &pidfd->fown);
}

/* --- restore --------------------------------------------------------------------- */

static int pidfd_validate(const struct model *model, const FileEntry *entry)
{
	const PidfdEntry *pidfd = entry->pidfd;

	if (!pidfd || pidfd->id != entry->id)
		return fail(EINVAL, "pidfd without its entry");
	if (pidfd->nspid != NSPID_GONE && (pidfd->nspid <= 0 || !model_task(model, pidfd->nspid)))
		return fail(EINVAL, "pidfd: task %" PRId32 " is not in the image", pidfd->nspid);
	return 0;
}

static int open_task(const PidfdEntry *pidfd, pid_t pid)
{
	int fd = sys_pidfd_open(pid, pidfd->flags & FLAGS_OPEN);

	return fd < 0 ? fail(-fd, "pidfd_open of task %d with flags %#" PRIx32, pid, pidfd->flags & FLAGS_OPEN) : fd;
}

/* All descriptions of the task that is gone: it can't be opened later. */
static int open_gone(struct files_restore *ctx, uint32_t ino, pid_t child)
{
	for (size_t i = 0; i < ctx->model->files.n; i++) {
		const PidfdEntry *other = ctx->model->files.data[i]->pidfd;
		int fd;

		if (!other || other->nspid != NSPID_GONE || other->ino != ino)
			continue;
		fd = open_task(other, child);
		if (fd < 0)
			return fd;
		VEC_PUSH(&ctx->state->all_opened, fd);
		hash_put(&ctx->state->gone_pidfds, other->id, 0, (void *)(intptr_t)(fd + 1));
	}
	return 0;
}

static int make_gone(struct files_restore *ctx, uint32_t ino)
{
	pid_t child = fork();
	int err;

	if (child < 0)
		return fail_errno("fork");
	if (!child)
		_exit(0);
	err = open_gone(ctx, ino, child);
	while (waitpid(child, NULL, 0) < 0)
		if (errno != EINTR)
			return fail_errno("cannot wait for child %d", child);
	return err;
}

static int take_gone(struct files_restore *ctx, const PidfdEntry *pidfd)
{
	void *made = hash_get(&ctx->state->gone_pidfds, pidfd->id, 0);
	int err = made ? 0 : make_gone(ctx, pidfd->ino), fd;

	if (err)
		return err;
	made = hash_get(&ctx->state->gone_pidfds, pidfd->id, 0);
	fd = fcntl((int)(intptr_t)made - 1, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? fail_errno("cannot duplicate a pidfd") : fd;
}

static int pidfd_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const PidfdEntry *pidfd = entry->pidfd;
	int fd = pidfd->nspid == NSPID_GONE ? take_gone(ctx, pidfd) : open_task(pidfd, pidfd->nspid);

	if (fd < 0)
		return fd;
	ret->fd = fd;
	return 0;
}

static bool pidfd_needs_tasks(const struct model *model, const FileEntry *entry)
{
	return true;
}

const struct file_kind pidfd_kind = {
	.type = FD_TYPES__PIDFD,
	.name = "pidfd",
	.needs_tasks = pidfd_needs_tasks,
	.match = pidfd_match,
	.plan = pidfd_plan,
	.validate = pidfd_validate,
	.make = pidfd_make,
};
