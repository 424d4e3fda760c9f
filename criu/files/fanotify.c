/*
 * fanotify(7).
 *
 * The kernel keeps: the group's flags, marks on inodes, mounts and file systems with their masks, and events
 * that nobody has read. fdinfo shows flags and marks. Whether the group was made without
 * CAP_SYS_ADMIN, which hides from its owner who caused an event, tells the error of a call that changes nothing, on
 * kernels up to 6.15; later ones do not tell, and the capabilities of its task have to do.
 * Inodes are found again as those of inotify.c are; mounts and file systems by the path they are mounted at.
 *
 * Marks are added in settle, like watches. What restore itself does to marked files afterwards may cause
 * events, as any process may.
 *
 * Refused: unread events, which can't be put in; events that ask for permission, since criu would wait for
 * an answer of the stopped task; marks on what can't be found again, or on mount namespaces.
 * Lost: numbers of the limits it counts against, if another user made the group.
 */
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "files/fown.h"
#include "files/watched.h"
#include "kernel/path.h"

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif
#ifndef FAN_MARK_EVICTABLE
#define FAN_MARK_EVICTABLE 0x00000200
#endif
#ifndef FAN_MARK_IGNORE
#define FAN_MARK_IGNORE 0x00000400
#endif

#define MASK_PERMISSION (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM | FAN_PRE_ACCESS)
/* What the kernel shows of how a mark was added. */
#define MFLAGS_KNOWN (FAN_MARK_IGNORED_SURV_MODIFY | FAN_MARK_EVICTABLE | FAN_MARK_IGNORE)

static struct watched watched_of(const FanotifyMarkEntry *mark)
{
	return (struct watched){ .dev = mark->s_dev,
				 .ino = mark->ie ? mark->ie->i_ino : 0,
				 .handle = mark->ie ? mark->ie->f_handle : NULL };
}

static int set_admin(bool on)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return fail_errno("capget");
	data[0].effective = on ? data[0].effective | 1U << CAP_SYS_ADMIN : data[0].effective & ~(1U << CAP_SYS_ADMIN);
	return syscall(SYS_capset, &header, data) ? fail_errno("capset") : 0;
}

/* --- dump ------------------------------------------------------------------------ */

static bool fanotify_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:[fanotify]");
}

/* Needs CAP_SYS_ADMIN, so without it the kernel takes the group for an unprivileged one. */
#define FLAGS_PRIVILEGED                                                                                               \
	(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS | FAN_REPORT_TID |      \
	 FAN_REPORT_PIDFD)
#define FLAGS_FID (FAN_REPORT_FID | FAN_REPORT_DIR_FID)

/* Up to kernel 6.15 such a group may have no mark on a mount, which is said before the path is looked for. */
static bool has_no_mounts(int fd)
{
	return fanotify_mark(fd, FAN_MARK_REMOVE | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "/proc/self/nothing") &&
	       errno == EPERM;
}

/* Does this kernel tell? Asked of a group of our own. */
static bool can_be_asked(void)
{
	auto_fd int fd = -1;

	if (set_admin(false))
		return false;
	fd = fanotify_init(FAN_REPORT_FID | FAN_CLOEXEC, 0);
	return !set_admin(true) && fd >= 0 && has_no_mounts(fd);
}

/* Where nothing tells, whoever has lost the privilege is taken for one who never had it: less is shown to him. */
static bool is_unprivileged(struct files_dump *ctx, const struct file_desc *desc, const struct proc_fanotify *shown)
{
	const struct remote_process *process = files_process(ctx, desc->pid);

	if ((shown->flags & FLAGS_PRIVILEGED) || !(shown->flags & FLAGS_FID))
		return false;
	if (has_no_mounts(desc->fd))
		return true;
	if ((process->status.cap_eff & 1ULL << CAP_SYS_ADMIN) || can_be_asked())
		return false;
	pr_debug("fanotify group: taken for one that was made without CAP_SYS_ADMIN");
	return true;
}

static void add_inode(struct model *model, const struct proc_mark *mark, FanotifyMarkEntry *entry)
{
	entry->type = MARK_TYPE__INODE;
	entry->ie = model_new(model, FanotifyInodeMarkEntry, fanotify_inode_mark_entry__init);
	entry->ie->i_ino = mark->watch.ino;
	entry->ie->f_handle = watched_handle(model, &mark->watch);
}

static FanotifyMarkEntry *new_mark(struct files_dump *ctx, uint32_t id, const struct proc_mark *mark)
{
	FanotifyMarkEntry *entry = model_new(ctx->model, FanotifyMarkEntry, fanotify_mark_entry__init);

	entry->id = id;
	entry->mflags = mark->mflags;
	entry->mask = mark->watch.mask;
	entry->ignored_mask = mark->watch.ignored_mask;
	entry->s_dev = mark->watch.dev;
	if (mark->kind == PROC_MARK_INODE) {
		add_inode(ctx->model, mark, entry);
		return entry;
	}
	entry->type = mark->kind == PROC_MARK_MOUNT ? MARK_TYPE__MOUNT : MARK_TYPE__FILESYSTEM;
	entry->me = model_new(ctx->model, FanotifyMountMarkEntry, fanotify_mount_mark_entry__init);
	entry->me->mnt_id = (uint32_t)mark->mnt_id;
	return entry;
}

static bool refuse_mark(struct files_dump *ctx, const struct proc_mark *mark)
{
	if (mark->kind == PROC_MARK_OTHER || (mark->mflags & ~MFLAGS_KNOWN) ||
	    (!mark->watch.mask && !mark->watch.ignored_mask))
		refuse(ctx->refusals,
		       "fanotify group: a mark of a kind this version does not know; remove it before the dump");
	else if ((mark->watch.mask | mark->watch.ignored_mask) & MASK_PERMISSION)
		refuse(ctx->refusals,
		       "fanotify group: a mark asks for permission (mask %#" PRIx32
		       "), which criu would wait for; remove "
		       "it before the dump",
		       mark->watch.mask | mark->watch.ignored_mask);
	else
		return false;
	return true;
}

static void plan_marks(struct files_dump *ctx, const struct proc_fanotify *shown, FanotifyFileEntry *ffy)
{
	ffy->mark = arena_array(ctx->model->arena, FanotifyMarkEntry *, shown->marks.n ? shown->marks.n : 1);
	/* The newest is shown first. */
	for (size_t i = shown->marks.n; i-- > 0;)
		if (!refuse_mark(ctx, &shown->marks.data[i]))
			ffy->mark[ffy->n_mark++] = new_mark(ctx, ffy->id, &shown->marks.data[i]);
}

static int fanotify_plan(struct files_dump *ctx, struct file_desc *desc)
{
	FanotifyFileEntry *ffy = model_new(ctx->model, FanotifyFileEntry, fanotify_file_entry__init);
	struct proc_fanotify shown = { 0 };
	int ret, queued;

	desc->entry->ffy = ffy;
	ffy->id = desc->entry->id;
	ffy->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	if (ioctl(desc->fd, FIONREAD, &queued))
		return fail_errno("fanotify group: FIONREAD");
	if (queued)
		refuse_passing(ctx->refusals,
			       "fanotify group: it holds %d bytes of events, which can't be saved; dump again when the "
			       "task has read them",
			       queued);
	ret = proc_parse_fanotify(desc->info.text, &shown);
	if (ret)
		return ret;
	ffy->faflags = shown.flags;
	ffy->evflags = shown.event_flags;
	ffy->has_unprivileged = ffy->unprivileged = is_unprivileged(ctx, desc, &shown);
	plan_marks(ctx, &shown, ffy);
	VEC_FREE(&shown.marks);
	return fown_dump(ctx, desc, &ffy->fown);
}

static bool leads_to(const char *path, const FanotifyMarkEntry *mark)
{
	auto_fd int fd = path_open(path, O_PATH);
	const dev_t dev = makedev(mark->s_dev >> 20, mark->s_dev & 0xfffff);
	struct statx stx;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx))
		return false;
	return mark->type == MARK_TYPE__MOUNT ? stx.stx_mnt_id == mark->me->mnt_id
					      : makedev(stx.stx_dev_major, stx.stx_dev_minor) == dev;
}

static bool is_marked(const struct proc_mount *mount, const FanotifyMarkEntry *mark)
{
	if (mark->type == MARK_TYPE__MOUNT)
		return mount->mnt_id == (int)mark->me->mnt_id;
	return mount->dev_major == mark->s_dev >> 20 && mount->dev_minor == (mark->s_dev & 0xfffff);
}

static int resolve_mount(struct files_dump *ctx, const FanotifyMarkEntry *mark)
{
	proc_mounts mounts = { 0 };
	int ret = proc_read_mounts(getpid(), &mounts);

	if (ret)
		return ret;
	for (size_t i = 0; i < mounts.n && !mark->me->path; i++)
		if (is_marked(&mounts.data[i], mark) && leads_to(mounts.data[i].mountpoint, mark))
			mark->me->path = arena_strdup(ctx->model->arena, mounts.data[i].mountpoint);
	proc_mounts_free(&mounts);
	if (!mark->me->path && mark->type == MARK_TYPE__MOUNT)
		refuse(ctx->refusals,
		       "fanotify group: it has a mark on mount %" PRIu32
		       ", which no path leads to; remove it before the "
		       "dump",
		       mark->me->mnt_id);
	else if (!mark->me->path)
		refuse(ctx->refusals,
		       "fanotify group: it has a mark on file system %u:%u, which no path leads to; remove it before "
		       "the "
		       "dump",
		       mark->s_dev >> 20, mark->s_dev & 0xfffff);
	return 0;
}

static void resolve_inode(struct files_dump *ctx, struct watched_anchor *anchor, const FanotifyMarkEntry *mark)
{
	const struct watched watched = watched_of(mark);
	int err = watched_resolve(ctx, anchor, &watched, &mark->ie->file_id);

	mark->ie->has_file_id = mark->ie->file_id;
	if (err == WATCHED_OUTSIDE)
		refuse(ctx->refusals,
		       "fanotify group: a mark is on a deleted file, inode %" PRIu64
		       ", that is only held outside the tree; "
		       "remove the mark before the dump",
		       mark->ie->i_ino);
	else if (err)
		refuse(ctx->refusals,
		       "fanotify group: a mark is on inode %" PRIu64 " of device %u:%u, " WATCHED_UNKNOWN,
		       mark->ie->i_ino, mark->s_dev >> 20, mark->s_dev & 0xfffff, strerror(-err));
}

static int fanotify_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	cleanup_with(watched_anchor_free) struct watched_anchor anchor = { .fd = -1 };
	const FanotifyFileEntry *ffy = desc->entry->ffy;
	int ret = 0;

	for (size_t i = 0; i < ffy->n_mark && !ret; i++) {
		if (ffy->mark[i]->ie)
			resolve_inode(ctx, &anchor, ffy->mark[i]);
		else
			ret = resolve_mount(ctx, ffy->mark[i]);
	}
	return ret;
}

/* --- restore --------------------------------------------------------------------- */

static int fanotify_validate(const struct model *model, const FileEntry *entry)
{
	const FanotifyFileEntry *ffy = entry->ffy;

	if (!ffy || ffy->id != entry->id)
		return fail(EINVAL, "fanotify group without its entry");
	for (size_t i = 0; i < ffy->n_mark; i++) {
		const FanotifyMarkEntry *mark = ffy->mark[i];

		if ((mark->mask | mark->ignored_mask) & MASK_PERMISSION)
			return fail(ENOTSUP, "fanotify group: mark %zu asks for permission: not supported", i);
		if ((mark->mflags & ~MFLAGS_KNOWN) || (!mark->mask && !mark->ignored_mask))
			return fail(EINVAL, "fanotify group: mark %zu: flags %#" PRIx32 ", no mask", i, mark->mflags);
		if (mark->me && !mark->me->path)
			return fail(EINVAL, "fanotify group: mark %zu: a mount without its path", i);
	}
	return 0;
}

static int init_group(const FanotifyFileEntry *ffy)
{
	int fd = fanotify_init(ffy->faflags | FAN_CLOEXEC, ffy->evflags);

	return fd < 0 ? fail_errno("fanotify_init%s", errno == EMFILE ? " (/proc/sys/fs/fanotify/max_user_groups)" : "")
		      : fd;
}

static int init_unprivileged(const FanotifyFileEntry *ffy)
{
	auto_fd int fd = -1;
	int ret = set_admin(false);

	if (ret)
		return ret;
	fd = init_group(ffy);
	ret = set_admin(true);
	return ret ? ret : take_fd(&fd);
}

static int fanotify_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const FanotifyFileEntry *ffy = entry->ffy;
	auto_fd int fd = ffy->unprivileged ? init_unprivileged(ffy) : init_group(ffy);

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, ffy->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("fanotify group: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

/* The kernel adds this bit by itself where it wants it. */
static uint32_t mask_for(int marked, uint32_t mask)
{
	struct stat st;

	return fstat(marked, &st) || S_ISDIR(st.st_mode) ? mask : mask & ~(uint32_t)FAN_EVENT_ON_CHILD;
}

static int mark_one(int fd, const FanotifyMarkEntry *mark, int marked, const char *what)
{
	const unsigned int on = mark->type == MARK_TYPE__INODE	 ? FAN_MARK_INODE
				: mark->type == MARK_TYPE__MOUNT ? FAN_MARK_MOUNT
								 : FAN_MARK_FILESYSTEM;
	const unsigned int ignore = mark->mflags & FAN_MARK_IGNORE ? FAN_MARK_IGNORE : FAN_MARK_IGNORED_MASK;
	const unsigned int add = FAN_MARK_ADD | on | (mark->mflags & FAN_MARK_EVICTABLE);
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", marked);
	if (mark->mask && fanotify_mark(fd, add, mask_for(marked, mark->mask), AT_FDCWD, path))
		return fail_errno("fanotify group: cannot mark %s", what);
	if (mark->ignored_mask && fanotify_mark(fd, add | ignore | (mark->mflags & FAN_MARK_IGNORED_SURV_MODIFY),
						mask_for(marked, mark->ignored_mask), AT_FDCWD, path))
		return fail_errno("fanotify group: cannot ignore events of %s", what);
	return 0;
}

/* Somebody may have unmounted it. */
static int open_mount(const char *path)
{
	auto_fd int fd = path_open(path, O_PATH);
	struct statx stx;

	if (fd < 0)
		return fd;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) ||
	    ((stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) && !(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)))
		return -EINVAL;
	return take_fd(&fd);
}

static int add_mark(struct files_restore *ctx, struct watched_anchor *anchor, const FanotifyMarkEntry *mark, int fd)
{
	const struct watched watched = watched_of(mark);
	const char *path = mark->me ? mark->me->path : mark->ie->f_handle->path;
	auto_fd int marked = mark->me ? open_mount(path) : watched_open(ctx, anchor, &watched, mark->ie->file_id);

	if (marked < 0 && mark->me)
		return fail(-marked, "fanotify group: %s was marked as a mount and is none now", path);
	if (marked < 0)
		return fail(-marked, "fanotify group: inode %" PRIu64 " (%s) is not there", mark->ie->i_ino,
			    path ?: "unknown path");
	return mark_one(fd, mark, marked, path ?: "a file");
}

static int fanotify_settle(struct files_restore *ctx, const FileEntry *entry, int fd)
{
	cleanup_with(watched_anchor_free) struct watched_anchor anchor = { .fd = -1 };
	const FanotifyFileEntry *ffy = entry->ffy;
	int ret = 0;

	for (size_t i = 0; i < ffy->n_mark && !ret; i++)
		ret = add_mark(ctx, &anchor, ffy->mark[i], fd);
	return ret;
}

const struct file_kind fanotify_kind = {
	.type = FD_TYPES__FANOTIFY,
	.name = "fanotify group",
	.match = fanotify_match,
	.plan = fanotify_plan,
	.resolve = fanotify_resolve,
	.validate = fanotify_validate,
	.make = fanotify_make,
	.settle = fanotify_settle,
};
