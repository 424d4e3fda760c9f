/*
 * inotify(7).
 *
 * The kernel keeps: watches, each on an inode, with a number and a mask, and events that
 * nobody has read. fdinfo shows the watches with file handles. A handle leads to the inode
 * whatever its names are now; the path is recorded as well, for file systems that are
 * made anew or copied. A deleted file that a task has open or mapped is watched again as what
 * takes its place. The numbers are the program's keys: each watch is
 * added with its own (INOTIFY_IOC_SETNEXTWD).
 *
 * Watches are added in settle: files are opened, made and removed before. Events can't be looked at without
 * taking them out, nor put in: an instance with unread ones is refused.
 *
 * Refused: watches on inodes to which neither a handle nor a name leads, and on deleted files that only
 * somebody outside the tree holds. Lost: the number the next watch would get, if watches with higher
 * numbers were removed before.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "files/watched.h"

#ifndef INOTIFY_IOC_SETNEXTWD
#define INOTIFY_IOC_SETNEXTWD _IOW('I', 0, int32_t)
#endif

/* What a watch was added with; older kernels show bits of their own besides. */
#define MASK_KEPT (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT)

/* --- dump ------------------------------------------------------------------------ */

static bool inotify_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:inotify");
}

static InotifyWdEntry *new_watch(struct model *model, uint32_t id, const struct proc_watch *watch)
{
	InotifyWdEntry *entry = model_new(model, InotifyWdEntry, inotify_wd_entry__init);

	entry->id = id;
	entry->i_ino = watch->ino;
	entry->mask = watch->mask & MASK_KEPT;
	entry->ignored_mask = watch->ignored_mask;
	entry->s_dev = watch->dev;
	entry->wd = (uint32_t)watch->wd;
	entry->f_handle = watched_handle(model, watch);
	return entry;
}

static int compare_watches(const void *a, const void *b)
{
	const InotifyWdEntry *watch_a = *(InotifyWdEntry *const *)a, *watch_b = *(InotifyWdEntry *const *)b;

	return (watch_a->wd > watch_b->wd) - (watch_a->wd < watch_b->wd);
}

static int inotify_plan(struct files_dump *ctx, struct file_desc *desc)
{
	InotifyFileEntry *ify = model_new(ctx->model, InotifyFileEntry, inotify_file_entry__init);
	proc_watches watches = { 0 };
	int ret, queued;

	desc->entry->ify = ify;
	ify->id = desc->entry->id;
	ify->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	if (ioctl(desc->fd, FIONREAD, &queued))
		return fail_errno("inotify instance: FIONREAD");
	if (queued)
		refuse_passing(ctx->refusals,
			       "inotify instance: it holds %d bytes of events, which can't be saved; dump again when "
			       "the task has read them",
			       queued);
	ret = proc_parse_watches(desc->info.text, &watches);
	if (ret)
		return ret;
	ify->wd = arena_array(ctx->model->arena, InotifyWdEntry *, watches.n ? watches.n : 1);
	for (size_t i = 0; i < watches.n; i++)
		ify->wd[ify->n_wd++] = new_watch(ctx->model, ify->id, &watches.data[i]);
	/* The kernel shows the newest first, which as such says nothing: numbers start again when they run out. */
	if (ify->n_wd)
		qsort(ify->wd, ify->n_wd, sizeof(*ify->wd), compare_watches);
	VEC_FREE(&watches);
	return fown_dump(ctx, desc, &ify->fown);
}

static int resolve_watch(struct files_dump *ctx, struct watched_anchor *anchor, InotifyWdEntry *watch)
{
	const struct watched watched = { .dev = watch->s_dev, .ino = watch->i_ino, .handle = watch->f_handle };
	int err = watched_resolve(ctx, anchor, &watched, &watch->file_id);

	watch->has_file_id = watch->file_id;
	if (err == WATCHED_OUTSIDE)
		refuse(ctx->refusals,
		       "inotify instance: watch %" PRIu32 " is on a deleted file that is only held outside the tree; "
		       "remove the watch before the dump",
		       watch->wd);
	else if (err)
		refuse(ctx->refusals,
		       "inotify instance: watch %" PRIu32 " is on inode %" PRIu64 " of device %u:%u, " WATCHED_UNKNOWN,
		       watch->wd, watch->i_ino, major(watched_dev(&watched)), minor(watched_dev(&watched)),
		       strerror(-err));
	return 0;
}

static int inotify_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	cleanup_with(watched_anchor_free) struct watched_anchor anchor = { .fd = -1 };
	const InotifyFileEntry *ify = desc->entry->ify;
	int ret = 0;

	for (size_t i = 0; i < ify->n_wd && !ret; i++)
		ret = resolve_watch(ctx, &anchor, ify->wd[i]);
	return ret;
}

/* --- restore --------------------------------------------------------------------- */

static int inotify_validate(const struct model *model, const FileEntry *entry)
{
	const InotifyFileEntry *ify = entry->ify;
	struct hash seen = { 0 };
	int ret = 0;

	if (!ify || ify->id != entry->id)
		return fail(EINVAL, "inotify instance without its entry");
	for (size_t i = 0; i < ify->n_wd && !ret; i++) {
		InotifyWdEntry *watch = ify->wd[i];

		if (!watch->wd || watch->wd > INT32_MAX || hash_put(&seen, watch->wd, 0, watch))
			ret = fail(EINVAL, "inotify instance: watch %" PRIu32 " is none or there twice", watch->wd);
		else if (watch->mask & (IN_ONLYDIR | IN_DONT_FOLLOW | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR))
			ret = fail(EINVAL, "inotify instance: watch %" PRIu32 ": no watch has mask %#" PRIx32,
				   watch->wd, watch->mask);
	}
	hash_free(&seen);
	return ret;
}

static int inotify_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	auto_fd int fd = inotify_init1(IN_CLOEXEC);

	if (fd < 0)
		return fail_errno("inotify_init1%s",
				  errno == EMFILE ? " (/proc/sys/fs/inotify/max_user_instances)" : "");
	if (fcntl(fd, F_SETFL, entry->ify->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("inotify instance: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

static int add_watch(struct files_restore *ctx, struct watched_anchor *anchor, const InotifyWdEntry *watch, int fd)
{
	/* Of two watches on one inode the second would change the first, and there must be some bit. */
	const uint32_t mask = (watch->mask & MASK_KEPT) | IN_MASK_CREATE;
	const char *path = watch->f_handle->path ? watch->f_handle->path : "unknown path";
	const struct watched what = { .dev = watch->s_dev, .handle = watch->f_handle };
	auto_fd int watched = watched_open(ctx, anchor, &what, watch->file_id);
	char name[64];
	int wd;

	if (watched < 0)
		return fail(-watched, "inotify instance: watch %" PRIu32 ": inode %" PRIu64 " (%s) is not there",
			    watch->wd, watch->i_ino, path);
	if (ioctl(fd, INOTIFY_IOC_SETNEXTWD, (int)watch->wd))
		return fail_errno("inotify instance: this kernel cannot give a watch number %" PRIu32, watch->wd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", watched);
	wd = inotify_add_watch(fd, name, mask);
	if (wd < 0)
		return fail_errno("inotify instance: cannot watch inode %" PRIu64 " (%s)%s", watch->i_ino, path,
				  errno == ENOSPC ? " (/proc/sys/fs/inotify/max_user_watches)" : "");
	if (wd != (int)watch->wd)
		return fail(EBUSY, "inotify instance: a watch got number %d instead of %" PRIu32, wd, watch->wd);
	return 0;
}

static int inotify_settle(struct files_restore *ctx, const FileEntry *entry, int fd)
{
	cleanup_with(watched_anchor_free) struct watched_anchor anchor = { .fd = -1 };
	const InotifyFileEntry *ify = entry->ify;
	int ret = 0;

	for (size_t i = 0; i < ify->n_wd && !ret; i++)
		ret = add_watch(ctx, &anchor, ify->wd[i], fd);
	return ret;
}

const struct file_kind inotify_kind = {
	.type = FD_TYPES__INOTIFY,
	.name = "inotify instance",
	.match = inotify_match,
	.plan = inotify_plan,
	.resolve = inotify_resolve,
	.validate = inotify_validate,
	.make = inotify_make,
	.settle = inotify_settle,
};
