/*
 * pipe(2).
 *
 * The kernel keeps: content, capacity, owner and mode, and for each description its
 * end and flags. The inode number of pipefs names the pipe in images and in
 * --inherit-fd keys. Restore makes each pipe once and fills it while both ends
 * are open; the first description of an end is that end, more of them are
 * opened through /proc/self/fd; an end nobody has is closed last.
 *
 * The other end may be a process's outside the tree: a shell's pipeline, a container's monitor. As in mainline the dump
 * goes on, for what matters is whether restore is given a pipe (--inherit-fd). Without one the job
 * would meet EPIPE or the end of file, so restore refuses, unless the user said that it may (--external pipe[INODE]).
 *
 * Lost: times; that a process outside the tree has an end which the tree has, too.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "files/inherit.h"
#include "files/pipe-data.h"

static bool pipe_match(const struct file_desc *desc)
{
	return S_ISFIFO(desc->st.st_mode) && !strncmp(desc->link, "pipe:[", 6);
}

/* What pipe2(2) gives when root calls it is not recorded. */
#define PIPE_MODE_MADE (S_IRUSR | S_IWUSR)

static void add_owner(const struct stat *st, PipeEntry *pipe)
{
	pipe->has_uid = st->st_uid;
	pipe->uid = st->st_uid;
	pipe->has_gid = st->st_gid;
	pipe->gid = st->st_gid;
	pipe->has_mode = (st->st_mode & ALLPERMS) != PIPE_MODE_MADE;
	pipe->mode = st->st_mode & ALLPERMS;
}

static int pipe_plan(struct files_dump *ctx, struct file_desc *desc)
{
	PipeEntry *pipe = model_new(ctx->model, PipeEntry, pipe_entry__init);
	int ret;

	desc->entry->pipe = pipe;
	pipe->id = desc->entry->id;
	pipe->pipe_id = desc->st.st_ino;
	pipe->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	add_owner(&desc->st, pipe);
	ret = fown_dump(ctx, desc, &pipe->fown);
	if (!ret)
		pipe_data_plan(ctx, desc, pipe->pipe_id, false);
	return ret;
}

static bool may_be_closed(const struct options *options, uint32_t pipe_id)
{
	char key[INHERIT_KEY_BYTES];

	snprintf(key, sizeof(key), "pipe[%" PRIu32 "]", pipe_id);
	return inherit_external(options, key);
}

static int pipe_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	PipeEntry *pipe = desc->entry->pipe;
	auto_free char *owner = NULL;
	enum pipe_outside outside;

	/* Of each pipe one was kept. */
	if (desc->fd < 0 || may_be_closed(ctx->options, pipe->pipe_id))
		return 0;
	outside = pipe_data_outside(ctx, desc, pipe->pipe_id);
	if (outside == PIPE_OUTSIDE_NONE)
		return 0;
	pipe->has_outside = pipe->outside = true;
	owner = outside_owner_text(ctx, desc->st.st_ino, true);
	pr_warn("%s: only processes outside the tree have its %s end (it is open in %s): restored, the tree finds it "
		"closed, unless --inherit-fd fd[N]:%s gives another one; --external pipe[%" PRIu32 "] accepts that",
		desc->link, outside == PIPE_OUTSIDE_READER ? "reading" : "writing", owner, desc->link, pipe->pipe_id);
	return 0;
}

static int pipe_dump(struct files_dump *ctx, struct file_desc *desc)
{
	return pipe_data_dump(ctx, desc, desc->entry->pipe->pipe_id, false);
}

/* --- restore ---------------------------------------------------------------- */

static int pipe_validate(const struct model *model, const FileEntry *entry)
{
	if (!entry->pipe || entry->pipe->id != entry->id)
		return fail(EINVAL, "pipe without its entry");
	if ((entry->pipe->flags & O_ACCMODE) == O_ACCMODE || (entry->pipe->flags & O_PATH))
		return fail(EINVAL, "pipe flags %#" PRIx32 " name no end", entry->pipe->flags);
	if (entry->pipe->mode & ~ALLPERMS)
		return fail(EINVAL, "pipe of mode %#" PRIo32, entry->pipe->mode);
	return 0;
}

/* Whoever made it. */
static int restore_owner(const PipeEntry *entry, int fd)
{
	if ((getuid() || getgid() || entry->uid || entry->gid) && fchown(fd, entry->uid, entry->gid))
		return fail_errno("cannot give the pipe to user %" PRIu32 ", group %" PRIu32, entry->uid, entry->gid);
	if (entry->has_mode && fchmod(fd, entry->mode))
		return fail_errno("cannot give the pipe mode %#" PRIo32, entry->mode);
	return 0;
}

static int make_pipe(struct files_restore *ctx, const PipeEntry *entry, struct made_pipe *pipe)
{
	int ends[2], ret;

	if (pipe2(ends, O_CLOEXEC))
		return fail_errno("pipe2");
	pipe->read_fd = ends[0];
	pipe->write_fd = ends[1];
	ret = restore_owner(entry, pipe->write_fd);
	return ret ? ret : pipe_data_fill(ctx, entry->pipe_id, false, pipe->write_fd);
}

/* An end that pipe2() made has no O_LARGEFILE, one that was opened has: the task may look. */
static bool can_take(const PipeEntry *entry, uint32_t mode, const struct made_pipe *pipe)
{
	if (entry->flags & FILE_FLAG_LARGEFILE)
		return false;
	return (mode == O_RDONLY && !pipe->read_taken) || (mode == O_WRONLY && !pipe->write_taken);
}

static int pipe_make(struct files_restore *ctx, const FileEntry *file, struct made_file *ret)
{
	const PipeEntry *entry = file->pipe;
	const uint32_t mode = entry->flags & O_ACCMODE, flags = entry->flags & ~(uint32_t)O_ASYNC;
	struct made_pipe *pipe;
	char key[INHERIT_KEY_BYTES];
	int fd, err;

	inherit_key_pipe(key, entry->pipe_id);
	fd = options_inherited(ctx->options, key);
	if (fd >= 0)
		return inherit_take(fd, flags, ret);
	if (entry->outside && !may_be_closed(ctx->options, entry->pipe_id))
		pr_warn("%s: its other end was a process's outside the tree, and is closed now: --inherit-fd fd[N]:%s "
			"gives "
			"another one, --external pipe[%" PRIu32 "] says that none is wanted",
			key, key, entry->pipe_id);

	pipe = pipe_made(files_restore_state(ctx), entry->pipe_id, false);
	if (pipe->read_fd < 0) {
		err = make_pipe(ctx, entry, pipe);
		if (err)
			return err;
	}
	fd = mode == O_WRONLY ? pipe->write_fd : pipe->read_fd;
	if (!can_take(entry, mode, pipe)) {
		fd = file_reopen(fd, flags);
		if (fd < 0)
			return fail(-fd, "%s: cannot open its end once more", key);
		ret->fd = fd;
		return 0;
	}
	if (fcntl(fd, F_SETFL, flags))
		return fail_errno("%s: F_SETFL", key);
	*(mode == O_WRONLY ? &pipe->write_taken : &pipe->read_taken) = true;
	ret->fd = fd;
	return 0;
}

const struct file_kind pipe_kind = {
	.type = FD_TYPES__PIPE,
	.name = "pipe",
	.match = pipe_match,
	.plan = pipe_plan,
	.resolve = pipe_resolve,
	.dump = pipe_dump,
	.validate = pipe_validate,
	.make = pipe_make,
};
