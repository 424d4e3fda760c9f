/*
 * The dump side's driver: every descriptor of every table, every mapped file,
 * executable, working and root directory becomes an entry of the model, or
 * a refusal. Everything is looked at from outside; the tree is untouched.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "files/files-internal.h"
#include "files/files-read.h"
#include "files/files-reg.h"
#include "files/fown.h"
#include "files/inherit.h"
#include "files/locks.h"

struct files_dump_state *files_dump_state(struct files_dump *ctx)
{
	if (!ctx->state) {
		ctx->state = xalloc(sizeof(*ctx->state));
		files_raise_limit();
	}
	return ctx->state;
}

const struct remote_process *files_process(const struct files_dump *ctx, pid_t pid)
{
	for (size_t i = 0; i < ctx->tree->n; i++)
		if (ctx->tree->processes[i]->pid == pid)
			return ctx->tree->processes[i];
	return NULL;
}

/* --- descriptors ------------------------------------------------------------------ */

/* Pipes, sockets and anonymous inodes have no identity beyond their descriptions. */
static bool has_inode(const struct file_desc *desc)
{
	return desc->link[0] == '/';
}

static const struct file_kind *match_kind(const struct file_desc *desc)
{
	for (size_t i = 0; i < file_kinds_len; i++)
		if (file_kinds[i]->match(desc))
			return file_kinds[i];
	return NULL;
}

/* A kind that has no content for this one has closed the duplicate. */
static void keep_pending(struct files_dump *ctx, const struct file_kind *kind, struct file_desc *desc)
{
	struct file_desc *kept;

	if (!kind->dump && desc->fd >= 0)
		close(take_fd(&desc->fd));
	if (!kind->resolve && desc->fd < 0)
		return;
	kept = xalloc(sizeof(*kept));
	*kept = *desc;
	VEC_PUSH(&ctx->state->pending, kept);
	*desc = (struct file_desc){ .fd = -1, .entry = kept->entry };
}

static int plan_desc(struct files_dump *ctx, struct file_desc *desc)
{
	char key[INHERIT_KEY_BYTES];
	const struct file_kind *kind;
	size_t refused = ctx->refusals->n;
	int ret;

	inherit_key_file(key, desc->info.mnt_id, desc->st.st_ino);
	if (inherit_external(ctx->options, key))
		return reg_add_external(ctx, desc, key);

	kind = match_kind(desc);
	if (!kind) {
		unsupported_refuse(ctx, desc);
		return 0;
	}
	desc->entry = model_add_file(ctx->model, kind->type);
	ret = kind->plan(ctx, desc);
	if (!ret && ctx->refusals->n == refused)
		keep_pending(ctx, kind, desc);
	return ret;
}

/* What the description is of, once for all of its descriptors. */
static int identify(struct files_dump *ctx, struct file_desc *desc, struct desc_node *node)
{
	int ret = desc->link ? 0 : file_desc_read_link(desc);

	if (ret || !has_inode(desc))
		return ret;
	node->inode = inode_intern(ctx->inodes, desc->fd, &desc->st, desc->link);
	return node->inode ? 0 : -EINVAL;
}

/* Locks are taken again through a number in a table. */
static void refuse_locks_in_flight(struct files_dump *ctx, const struct file_desc *desc)
{
	if (desc->info.locks.n)
		refuse(ctx->refusals,
		       "%s: it is on its way in a message (SCM_RIGHTS), no task has it open, and a lock is held "
		       "through "
		       "it: not supported; have it received before the dump",
		       desc->link);
}

/* plan_desc() may keep the description. */
static int collect_desc(struct files_dump *ctx, struct file_desc *desc, struct desc_node *node, bool is_new,
			uint32_t files_id)
{
	int ret = is_new ? identify(ctx, desc, node) : 0;

	desc->inode = node->inode;
	desc->node = node;
	if (!ret && desc->in_flight)
		refuse_locks_in_flight(ctx, desc);
	else if (!ret)
		ret = locks_collect(ctx, desc, node, files_id);
	if (ret || !is_new)
		return ret;
	ret = plan_desc(ctx, desc);
	node->entry = desc->entry;
	return ret;
}

static void add_holder(const struct desc_node *node, struct inode_holder holder, unsigned int flags)
{
	holder.write = (flags & O_ACCMODE) != O_RDONLY;
	strcpy(holder.access, inode_fd_access(flags));
	if (node->inode)
		inode_add_holder(node->inode, &holder);
}

static int collect_fd(struct files_dump *ctx, const struct remote_process *process, struct desc_reader *reader,
		      size_t i, struct fdtable_image *table)
{
	cleanup_with(file_desc_free) struct file_desc desc = { .fd = -1 };
	struct desc_node *node;
	unsigned int flags;
	FdinfoEntry *slot;
	bool is_new;
	int ret, fd;
	pid_t pid;

	ret = desc_reader_take(reader, i, &desc);
	/* Closed meanwhile by a task that runs. */
	if ((ret == -EBADF || ret == -ENOENT) && process->watched)
		return 0;
	if (ret)
		return ret;
	ret = file_desc_intern(ctx, &desc, &node, &is_new);
	if (ret)
		return ret;
	fd = desc.target_fd;
	pid = desc.pid;
	flags = desc.info.flags;
	ret = collect_desc(ctx, &desc, node, is_new, table->files_id);
	if (ret)
		return ret;
	add_holder(node, (struct inode_holder){ .pid = pid, .fd = fd }, flags);
	if (!node->entry)
		return 0;

	slot = model_new(ctx->model, FdinfoEntry, fdinfo_entry__init);
	slot->id = node->entry->id;
	slot->type = node->entry->type;
	slot->fd = fd;
	slot->flags = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
	table->fds[table->n_fds++] = slot;
	return 0;
}

int files_collect(struct files_dump *ctx, struct remote_process *process, uint32_t files_id)
{
	struct fdtable_image table = { .files_id = files_id };
	struct desc_reader *reader;
	fd_list fds = { 0 };
	int ret;

	files_dump_state(ctx);
	ret = proc_list_fds(process->pid, &fds);
	if (ret)
		return ret;

	table.fds = arena_array(ctx->model->arena, FdinfoEntry *, fds.n ? fds.n : 1);
	reader = desc_reader_start(process, &fds);
	for (size_t i = 0; i < fds.n && !ret; i++) {
		LOG_SCOPE("fd", fds.data[i]);

		ret = collect_fd(ctx, process, reader, i, &table);
	}
	desc_reader_end(reader);
	VEC_FREE(&fds);
	if (!ret)
		VEC_PUSH(&ctx->model->fdtables, table);
	return ret;
}

int files_collect_in_flight(struct files_dump *ctx, const struct file_desc *carrier, int fd, FileEntry **ret)
{
	cleanup_with(file_desc_free) struct file_desc desc = {
		.fd = fd,
		.pid = carrier->pid,
		.target_fd = carrier->target_fd,
		.in_flight = true,
	};
	struct desc_node *node;
	unsigned int flags;
	bool is_new;
	int err;

	if (fstat(fd, &desc.st))
		return fail_errno("descriptor on its way: fstat");
	err = proc_read_fdinfo(getpid(), fd, &desc.info);
	err = err ?: file_desc_intern(ctx, &desc, &node, &is_new);
	if (err)
		return err;
	flags = desc.info.flags;
	err = is_new ? collect_desc(ctx, &desc, node, true, 0) : 0;
	if (err)
		return err;
	add_holder(node, (struct inode_holder){ .pid = carrier->pid, .fd = carrier->target_fd, .in_flight = true },
		   flags);
	*ret = node->entry;
	return 0;
}

/* What is collected on the way is added at the end. */
static int for_each_pending(struct files_dump *ctx, bool collect)
{
	struct files_dump_state *state = files_dump_state(ctx);
	int ret = 0;

	for (size_t i = 0; i < state->pending.n && !ret; i++) {
		struct file_desc *desc = state->pending.data[i];
		const struct file_kind *kind = file_kind_of(desc->entry->type);
		int (*step)(struct files_dump *, struct file_desc *) = collect ? kind->collect : kind->resolve;

		LOG_SCOPE("task", desc->pid);
		LOG_SCOPE("fd", desc->target_fd);
		ret = step ? step(ctx, desc) : 0;
	}
	return ret;
}

int files_resolve(struct files_dump *ctx)
{
	int ret = for_each_pending(ctx, true);

	ret = ret ?: for_each_pending(ctx, false);
	if (!ret)
		locks_resolve(ctx);
	return ret;
}

/* --- files that are mapped, run or stood in ----------------------------------------- */

/* An entry that is no description: everyone who uses the inode by this name in this mode shares it. */
struct opened_entry {
	const char *name;
	FileEntry *entry;
	struct opened_entry *next;
};

static FileEntry *find_opened(struct files_dump *ctx, const struct inode *inode, const char *name, unsigned int flags)
{
	struct opened_entry *opened = hash_get(&files_dump_state(ctx)->opened, inode->id, flags);

	for (; opened; opened = opened->next)
		if (!strcmp(opened->name, name))
			return opened->entry;
	return NULL;
}

static void add_opened(struct files_dump *ctx, const struct inode *inode, const char *name, FileEntry *entry,
		       unsigned int flags)
{
	struct hash *hash = &files_dump_state(ctx)->opened;
	struct opened_entry *opened = arena_new_of(ctx->model->arena, struct opened_entry);

	opened->name = name;
	opened->entry = entry;
	opened->next = hash_get(hash, inode->id, flags);
	hash_put(hash, inode->id, flags, opened);
}

/* A restore, too, has such a file open once more, and nobody gets a lease for writing then. */
static bool refuse_leased(struct files_dump *ctx, const struct inode *inode)
{
	if (!locks_keep_out(ctx, inode))
		return false;
	refuse(ctx->refusals, "%s: it is mapped or run, and the tree has a lease for writing on it; end one of the two",
	       inode->name);
	return true;
}

static int open_entry(struct files_dump *ctx, struct reg_source *source, FileEntry **ret)
{
	auto_fd int readable = -1;
	FileEntry *entry;
	bool leased;
	int err;

	*ret = find_opened(ctx, source->inode, source->path, source->flags);
	if (*ret)
		return 0;

	leased = refuse_leased(ctx, source->inode);
	if (S_ISREG(source->st->st_mode) && ctx->options->validate_build_id && !leased) {
		readable = file_reopen(source->fd, O_RDONLY);
		if (readable >= 0)
			source->fd = readable;
	}
	source->fown = fown_none(ctx->model);
	entry = model_add_file(ctx->model, FD_TYPES__REG);
	err = reg_add(ctx, source, entry);
	if (err)
		return err;
	add_opened(ctx, source->inode, source->path, entry, source->flags);
	*ret = entry;
	return 0;
}

int files_collect_path(struct files_dump *ctx, struct remote_process *process, const char *name, uint32_t *ret_id)
{
	auto_fd int fd = -1;
	auto_free char *link = NULL;
	struct reg_source source = { 0 };
	struct stat st;
	FileEntry *entry;
	int ret;

	fd = proc_open(process->pid, name, O_PATH);
	if (fd < 0)
		return fail(-fd, "cannot open /proc/%d/%s", process->pid, name);
	if (fstat(fd, &st))
		return fail_errno("/proc/%d/%s: fstat", process->pid, name);
	ret = proc_read_link(process->pid, name, &link);
	if (ret)
		return ret;

	source.inode = inode_intern(ctx->inodes, fd, &st, link);
	if (!source.inode)
		return -EINVAL;
	source.fd = fd;
	source.st = &st;
	source.path = file_path(ctx->model->arena, link, &st);
	source.flags = S_ISDIR(st.st_mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY;
	ret = open_entry(ctx, &source, &entry);
	if (!ret)
		*ret_id = entry->id;
	return ret;
}

static FileEntry *memfd_entry(struct files_dump *ctx, const struct vma *vma, unsigned int flags)
{
	FileEntry *entry = find_opened(ctx, vma->inode, "", flags);

	if (entry)
		return entry;
	entry = model_add_file(ctx->model, FD_TYPES__MEMFD);
	entry->memfd = model_new(ctx->model, MemfdFileEntry, memfd_file_entry__init);
	entry->memfd->id = entry->id;
	entry->memfd->flags = flags | FILE_FLAG_LARGEFILE;
	entry->memfd->fown = fown_none(ctx->model);
	entry->memfd->inode_id = vma->inode->id;
	add_opened(ctx, vma->inode, "", entry, flags);
	return entry;
}

int files_collect_vma(struct files_dump *ctx, struct remote_process *process, struct vma *vma)
{
	/* A read-only view that mprotect could never make writable is recognised by the mode of its file. */
	unsigned int flags = (vma->entry->status & VMA_FILE_SHARED) && vma->may_write ? O_RDWR : O_RDONLY;
	FileEntry *entry;
	int ret;

	if (!vma->inode ||
	    (vma->inode->kind != INODE_FILE && vma->inode->kind != INODE_MEMFD && vma->inode->kind != INODE_OTHER))
		return 0;

	LOG_SCOPE_HEX("mapping", vma->entry->start);
	if (vma->inode->kind == INODE_MEMFD) {
		entry = memfd_entry(ctx, vma, flags);
	} else {
		struct reg_source source = {
			.inode = vma->inode,
			.st = &vma->inode->st,
			.fd = vma->inode->fd,
			.path = vma->name,
			.flags = flags,
		};

		ret = open_entry(ctx, &source, &entry);
		if (ret)
			return ret;
	}
	vma->entry->shmid = entry->id;
	vma->entry->has_fdflags = true;
	vma->entry->fdflags = flags;
	return 0;
}

/* --- content ------------------------------------------------------------------- */

int files_dump(struct files_dump *ctx)
{
	struct files_dump_state *state = files_dump_state(ctx);

	for (size_t i = 0; i < state->pending.n; i++) {
		struct file_desc *desc = state->pending.data[i];
		int ret;

		if (desc->fd < 0)
			continue;
		LOG_SCOPE("task", desc->pid);
		LOG_SCOPE("fd", desc->target_fd);
		ret = file_kind_of(desc->entry->type)->dump(ctx, desc);
		if (ret)
			return ret;
		file_desc_free(desc);
	}
	return 0;
}

void files_dump_free(struct files_dump *ctx)
{
	struct files_dump_state *state = ctx->state;

	if (!state)
		return;
	for (size_t i = 0; i < state->pending.n; i++) {
		file_desc_free(state->pending.data[i]);
		free(state->pending.data[i]);
	}
	VEC_FREE(&state->pending);
	VEC_FREE(&state->locks);
	unix_dump_free(state);
	inet_dump_free(state);
	file_desc_groups_free(state);
	for (size_t i = 0; i < state->node_fds.n; i++)
		close(state->node_fds.data[i]);
	VEC_FREE(&state->node_fds);
	hash_free(&state->groups);
	hash_free(&state->twins);
	hash_free(&state->opened);
	hash_free(&state->pipes);
	hash_free(&state->names);
	hash_free(&state->lock_sets);
	hash_free(&state->leased);
	free(take_ptr(ctx->state));
}
