/*
 * The dump side's driver: every descriptor of every table becomes an entry of
 * the model, or a refusal. Everything is looked at from outside; the tree is untouched.
 */
#include <stdlib.h>
#include <string.h>

#include "files/files-internal.h"
#include "files/fown-quiet.h"
#include "files/irmap.h"
#include "files/files-read.h"
#include "files/files-reg.h"
#include "files/inherit.h"
#include "files/locks.h"
#include "files/mqueue.h"
#include "files/tcp.h"
#include "files/tty-internal.h"
#include "files/unix-sk.h"

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
		refuse_passing(ctx->refusals,
			       "%s: it is on its way in a message (SCM_RIGHTS), no task has it open, and a lock is "
			       "held through it: not supported; have it received before the dump",
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
	holder.file_id = node->entry ? node->entry->id : 0;
	if (node->inode)
		inode_add_holder(node->inode, &holder);
}

/* Everything is known of the description: the descriptor into the table. */
static FdinfoEntry *add_slot(struct files_dump *ctx, const struct remote_process *process, int fd,
			     struct desc_node *node, struct fdtable_image *table)
{
	FdinfoEntry *slot;

	inherited_note(ctx, process->pid, fd, node);
	add_holder(node, (struct inode_holder){ .pid = process->pid, .fd = fd }, node->flags);
	if (!node->entry)
		return NULL;
	slot = model_new(ctx->model, FdinfoEntry, fdinfo_entry__init);
	slot->id = node->entry->id;
	slot->type = node->entry->type;
	slot->fd = fd;
	table->fds[table->n_fds++] = slot;
	return slot;
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
	flags = desc.info.flags;
	ret = collect_desc(ctx, &desc, node, is_new, table->files_id);
	if (ret)
		return ret;
	slot = add_slot(ctx, process, fd, node, table);
	if (slot)
		slot->flags = flags & O_CLOEXEC ? FD_CLOEXEC : 0;
	return 0;
}

static int collect_fds(struct files_dump *ctx, struct remote_process *process, const fd_list *fds,
		       struct fdtable_image *table)
{
	struct desc_reader *reader = desc_reader_start(process, fds);
	int ret = 0;

	for (size_t i = 0; i < fds->n && !ret; i++) {
		LOG_SCOPE("fd", fds->data[i]);

		ret = collect_fd(ctx, process, reader, i, table);
	}
	desc_reader_end(reader);
	return ret;
}

/* Those the process has from its parent; *@fds keeps the others. */
static void collect_inherited(struct files_dump *ctx, const struct remote_process *process, fd_list *fds,
			      struct fdtable_image *table)
{
	size_t n = 0;

	for (size_t i = 0; i < fds->n; i++) {
		struct desc_node *node = inherited_find(ctx, process, fds->data[i]);
		FdinfoEntry *slot;

		if (!node) {
			fds->data[n++] = fds->data[i];
			continue;
		}
		slot = add_slot(ctx, process, fds->data[i], node, table);
		if (slot)
			inherited_ask(ctx, process, slot);
	}
	fds->n = n;
}

static int by_number(const void *a, const void *b)
{
	const FdinfoEntry *x = *(FdinfoEntry *const *)a, *y = *(FdinfoEntry *const *)b;

	return x->fd < y->fd ? -1 : x->fd > y->fd;
}

int files_collect(struct files_dump *ctx, struct remote_process *process, uint32_t files_id)
{
	struct fdtable_image table = { .files_id = files_id };
	fd_list fds = { 0 };
	int ret;

	files_dump_state(ctx);
	ret = proc_list_fds(process->pid, &fds);
	if (ret)
		return ret;

	table.fds = arena_array(ctx->model->arena, FdinfoEntry *, fds.n ? fds.n : 1);
	collect_inherited(ctx, process, &fds, &table);
	ret = collect_fds(ctx, process, &fds, &table);
	VEC_FREE(&fds);
	if (ret)
		return ret;
	qsort(table.fds, table.n_fds, sizeof(*table.fds), by_number);
	VEC_PUSH(&ctx->model->fdtables, table);
	return 0;
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
		pty_plan_sessions(ctx);
	if (!ret)
		locks_resolve(ctx);
	return ret;
}

/* --- content ------------------------------------------------------------------- */

int files_dump(struct files_dump *ctx)
{
	struct files_dump_state *state = files_dump_state(ctx);
	int ret = 0;

	for (size_t i = 0; !ret && i < state->pending.n; i++) {
		struct file_desc *desc = state->pending.data[i];

		if (desc->fd < 0)
			continue;
		LOG_SCOPE("task", desc->pid);
		LOG_SCOPE("fd", desc->target_fd);
		ret = file_kind_of(desc->entry->type)->dump(ctx, desc);
		if (!ret)
			file_desc_free(desc);
	}
	if (ret)
		return ret;
	/* Last: from then on no packet of theirs gets through. */
	return state->inets ? tcp_dump_all(ctx) : 0;
}

void files_silence(struct files_dump *ctx)
{
	if (ctx->state && ctx->state->inets)
		tcp_silence_all(ctx);
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
	locks_waiters_free(state);
	peek_guard_stop(state->peek_guard);
	unix_dump_free(state);
	inet_dump_free(state);
	sock_fresh_free(state);
	tty_dump_free(state);
	packet_dump_free(state);
	irmap_free(state->irmap);
	mqueue_dump_free(state);
	fown_dump_free(state);
	file_desc_groups_free(state);
	inherited_free(state);
	for (size_t i = 0; i < state->node_fds.n; i++)
		close(state->node_fds.data[i]);
	VEC_FREE(&state->node_fds);
	hash_free(&state->groups);
	hash_free(&state->twins);
	hash_free(&state->opened);
	hash_free(&state->pipes);
	hash_free(&state->names);
	hash_free(&state->lock_sets);
	proc_owners_free(&state->owners);
	free(take_ptr(ctx->state));
}
