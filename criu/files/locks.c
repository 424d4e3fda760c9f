/*
 * File locks, on dump.
 *
 * The kernel keeps: POSIX locks by (descriptor table, inode), together with the description they were taken through;
 * flock(2) and OFD locks and leases by description. fdinfo shows all of a descriptor: of its description, and of its
 * own table the POSIX locks. Closing any descriptor of a file drops the POSIX locks of the table on it, so
 * what is locked can be reached by a descriptor that the holder still has.
 *
 * A description is inherited, and its lock outlives the process that took it: it is saved once, with a task that has
 * the description, if possible the one that took it. Whoever waits for a lock sleeps in a system call that starts
 * again. The tree holds its locks until it is killed; who waits for one outside gets it then, see locks-waiters.c.
 *
 * Lost: that a process outside the tree has the same description. It keeps its lock, and the restore fails if it
 * still does so then. Of a broken lease, whether it was one for reading, where that can't be seen, and how long its
 * holder has had.
 */
#include <fcntl.h>

#include "files/files-internal.h"
#include "files/inherit.h"
#include "files/locks.h"

/* The locks of one description, or those of one table through it. */
struct lock_set {
	size_t first, n; /* in files_dump_state.locks */
};

static const struct {
	enum file_lock_image_kind flag;
	const char *name;
} lock_kinds[] = {
	[PROC_LOCK_POSIX] = { FILE_LOCK_POSIX, "a POSIX lock" },
	[PROC_LOCK_FLOCK] = { FILE_LOCK_FLOCK, "an flock" },
	[PROC_LOCK_OFD] = { FILE_LOCK_OFD, "an open file description lock" },
	[PROC_LOCK_LEASE] = { FILE_LOCK_LEASE, "a lease" },
};

const char *locks_kind_name(enum proc_lock_kind kind)
{
	return lock_kinds[kind].name;
}

/* What the lease has become, or has to: older kernels show something else in fdinfo. */
static int lease_type(const struct file_desc *desc, const struct proc_lock *lock, uint32_t *ret)
{
	int type = fcntl(desc->fd, F_GETLEASE);

	if (type < 0)
		return fail_errno("F_GETLEASE");
	*ret = lock->breaking || type != lock->type ? FILE_LOCK_BREAKING | type : type;
	return 0;
}

/* Of other files restore has descriptors of its own, and for that there may be no lease. */
static bool can_be_leased(const struct files_dump *ctx, const struct file_desc *desc)
{
	char key[INHERIT_KEY_BYTES];

	inherit_key_file(key, desc->info.mnt_id, desc->st.st_ino);
	return desc->inode && desc->inode->kind == INODE_FILE && !desc->inode->deleted &&
	       !inherit_external(ctx->options, key);
}

static bool refuse_lock(struct files_dump *ctx, const struct file_desc *desc, const struct proc_lock *lock)
{
	if (lock->kind == PROC_LOCK_OTHER)
		refuse(ctx->refusals, "%s: a lock of an unknown kind is held on it; have it released before the dump",
		       desc->link);
	else if (!ctx->options->file_locks)
		refuse(ctx->refusals, "%s: %s is held on it; use --file-locks to save it", desc->link,
		       lock_kinds[lock->kind].name);
	else if (lock->kind == PROC_LOCK_LEASE && !can_be_leased(ctx, desc))
		refuse(ctx->refusals,
		       "%s: there is a lease on it; of deleted and external files and memfds leases are not saved: "
		       "have it "
		       "given up (F_SETLEASE, F_UNLCK) before the dump",
		       desc->link);
	else
		return false;
	return true;
}

static int add_lock(struct files_dump *ctx, const struct file_desc *desc, const struct proc_lock *lock,
		    const struct held_lock *held)
{
	FileLockEntry *entry = model_new(ctx->model, FileLockEntry, file_lock_entry__init);
	int err = 0;

	entry->flag = lock_kinds[lock->kind].flag;
	entry->type = lock->type;
	if (lock->kind == PROC_LOCK_LEASE)
		err = lease_type(desc, lock, &entry->type);
	if (err)
		return err;
	entry->pid = desc->pid;
	entry->fd = desc->target_fd;
	entry->start = (int64_t)lock->start;
	entry->len = lock->end == INT64_MAX ? 0 : (int64_t)(lock->end - lock->start + 1);
	VEC_PUSH(&ctx->model->file_locks, entry);
	*VEC_ADD(&ctx->state->locks) = (struct held_lock){
		.entry = entry,
		.lock = *lock,
		.name = arena_strdup(ctx->model->arena, desc->link),
		.dev = desc->st.st_dev,
		.ino = desc->st.st_ino,
		.taker = lock->pid,
		.files_id = held->files_id,
		.node = held->node,
	};
	return 0;
}

/* A break that comes while we look makes no difference: of a lease for reading nobody is kept out who only reads. */
static void note_leases(const struct file_desc *desc)
{
	for (size_t i = 0; i < desc->info.locks.n; i++) {
		const struct proc_lock *lock = &desc->info.locks.data[i];

		if (lock->kind == PROC_LOCK_LEASE && desc->inode && (lock->breaking || lock->type != F_RDLCK))
			desc->inode->leased = true;
	}
}

/* Through another descriptor of the same description. */
static void prefer_taker(struct files_dump *ctx, const struct lock_set *set, const struct file_desc *desc)
{
	for (size_t i = set->first; i < set->first + set->n; i++) {
		const struct held_lock *held = &ctx->state->locks.data[i];

		if (held->taker != desc->pid || held->entry->pid == held->taker)
			continue;
		held->entry->pid = desc->pid;
		held->entry->fd = desc->target_fd;
	}
}

/* The POSIX locks of table @held->files_id, or, if that is 0, those of the description. */
static int collect_set(struct files_dump *ctx, const struct file_desc *desc, const struct held_lock *held)
{
	struct files_dump_state *state = ctx->state;
	struct lock_set *set = hash_get(&state->lock_sets, (uintptr_t)held->node, held->files_id);
	unsigned int refused = 0; /* 1 << kind: one line for each */
	int err = 0;

	if (set) {
		prefer_taker(ctx, set, desc);
		return 0;
	}
	set = arena_new_of(ctx->model->arena, struct lock_set);
	set->first = state->locks.n;
	hash_put(&state->lock_sets, (uintptr_t)held->node, held->files_id, set);
	for (size_t i = 0; i < desc->info.locks.n && !err; i++) {
		const struct proc_lock *lock = &desc->info.locks.data[i];

		if ((lock->kind == PROC_LOCK_POSIX) != (held->files_id != 0) || (refused & 1U << lock->kind))
			continue;
		if (refuse_lock(ctx, desc, lock))
			refused |= 1U << lock->kind;
		else
			err = add_lock(ctx, desc, lock, held);
	}
	set->n = state->locks.n - set->first;
	return err;
}

int locks_collect(struct files_dump *ctx, struct file_desc *desc, const struct desc_node *node, uint32_t files_id)
{
	int err = 0;

	if (!desc->info.locks.n)
		return 0;
	note_leases(desc);
	if (!desc->link)
		err = file_desc_read_link(desc);
	if (!err)
		err = collect_set(ctx, desc, &(struct held_lock){ .node = node });
	return err ? err : collect_set(ctx, desc, &(struct held_lock){ .node = node, .files_id = files_id });
}

/* --- when all is known ---------------------------------------------------------- */

/* Processes that share a table hold its locks together: the one that is named in them is to take them. */
static void name_taker(struct files_dump *ctx, const struct held_lock *held)
{
	for (size_t i = 0; i < ctx->model->tasks.n; i++) {
		const struct task_image *task = &ctx->model->tasks.data[i];

		if ((pid_t)task->pstree->pid == held->taker && task->ids && task->ids->files_id == held->files_id)
			held->entry->pid = held->taker;
	}
}

/* It has the description as well, unless it has closed it. Of OFD locks nothing tells. */
static void warn_of_outsider(const struct files_dump *ctx, const struct held_lock *held)
{
	const FileLockEntry *entry = held->entry;

	if (held->files_id || held->taker <= 0 || files_process(ctx, held->taker))
		return;
	LOG_SCOPE("task", entry->pid);
	LOG_SCOPE("fd", entry->fd);
	pr_warn("its lock was taken by process %d outside the tree, which may keep it: it can be restored when it is "
		"free",
		held->taker);
}

void locks_resolve(struct files_dump *ctx)
{
	for (size_t i = 0; i < ctx->state->locks.n; i++) {
		const struct held_lock *held = &ctx->state->locks.data[i];

		if (held->files_id && held->entry->pid != held->taker)
			name_taker(ctx, held);
		warn_of_outsider(ctx, held);
	}
	locks_tell_waiters(ctx);
}
