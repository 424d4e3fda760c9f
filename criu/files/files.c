/*
 * The table of kinds, and what restore does with it: every description that a
 * descriptor table names is made once, in this process, and handed to the
 * tables that name it. Order: regular files and pipes as the tables list them;
 * what has to do with numbers, just before a table is filled (files-attach.c);
 * then, with every task in place, terminals (settle), and signal owners last.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "files/files-internal.h"
#include "files/files-reg.h"
#include "files/fown.h"
#include "files/pipe-data.h"
#include "files/tcp.h"
#include "files/tty.h"
#include "files/unix-sk.h"

/* Where our copies live: above the numbers users give to --inherit-fd. */
#define MADE_FD_BASE 1024

/* Dump asks them in this order: memfds and queues are regular files too, but not ones with a path. */
const struct file_kind *const file_kinds[] = {
	&memfd_kind,	 &mqueue_kind, &reg_kind,      &pipe_kind,    &fifo_kind,    &eventfd_kind,
	&eventpoll_kind, &tty_kind,    &signalfd_kind, &timerfd_kind, &inotify_kind, &fanotify_kind,
	&pidfd_kind,	 &unix_kind,   &netlink_kind,  &inet_kind,    &packet_kind,  &ns_kind,
};
const size_t file_kinds_len = ARRAY_SIZE(file_kinds);

static const char *const type_names[] = {
	[FD_TYPES__UND] = "undefined file",
	[FD_TYPES__REG] = "regular file",
	[FD_TYPES__PIPE] = "pipe",
	[FD_TYPES__FIFO] = "fifo",
	[FD_TYPES__INETSK] = "internet socket",
	[FD_TYPES__UNIXSK] = "unix socket",
	[FD_TYPES__EVENTFD] = "eventfd",
	[FD_TYPES__EVENTPOLL] = "epoll instance",
	[FD_TYPES__INOTIFY] = "inotify instance",
	[FD_TYPES__SIGNALFD] = "signalfd",
	[FD_TYPES__PACKETSK] = "packet socket",
	[FD_TYPES__TTY] = "terminal",
	[FD_TYPES__FANOTIFY] = "fanotify group",
	[FD_TYPES__NETLINKSK] = "netlink socket",
	[FD_TYPES__NS] = "namespace file",
	[FD_TYPES__TUNF] = "tun device",
	[FD_TYPES__EXT] = "file of a plugin",
	[FD_TYPES__TIMERFD] = "timerfd",
	[FD_TYPES__MEMFD] = "memfd",
	[FD_TYPES__BPFMAP] = "bpf map",
	[FD_TYPES__PIDFD] = "pidfd",
};

const struct file_kind *file_kind_of(FdTypes type)
{
	for (size_t i = 0; i < file_kinds_len; i++)
		if (file_kinds[i]->type == type)
			return file_kinds[i];
	return NULL;
}

const char *file_type_name(FdTypes type)
{
	if (type == FD_TYPES__MQUEUE)
		return "POSIX message queue";
	if ((size_t)type < ARRAY_SIZE(type_names) && type_names[type])
		return type_names[type];
	return "file of an unknown type";
}

void files_raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		pr_debug("cannot raise the limit of open files: %s", strerror(errno));
}

int file_reopen(int fd, int flags)
{
	char path[32];
	int ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = open(path, (file_open_flags(flags) & ~O_NOFOLLOW) | O_NOCTTY | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

/* --- checking untrusted images ------------------------------------------------ */

static int validate_entry(const struct model *model, const FileEntry *entry)
{
	const struct file_kind *kind = file_kind_of(entry->type);
	const FownEntry *fown;
	int ret;

	if (!kind)
		return fail(ENOTSUP, "%s: not supported by this version", file_type_name(entry->type));
	ret = kind->validate(model, entry);
	if (ret)
		return ret;
	fown = fown_of(model, entry);
	return fown ? fown_validate(fown) : 0;
}

int files_validate(const struct model *model)
{
	int ret = unix_queues_validate(model);

	if (!ret)
		ret = ttys_validate(model);
	if (ret)
		return ret;

	for (size_t i = 0; i < model->files.n; i++) {
		LOG_SCOPE("file", model->files.data[i]->id);
		ret = validate_entry(model, model->files.data[i]);
		if (ret)
			return ret;
	}
	return 0;
}

int files_validate_options(const struct model *model, const struct options *options)
{
	return inet_validate_connections(model, options);
}

/* --- making ------------------------------------------------------------------- */

/* A write through a descriptor with O_DIRECT makes a packet, whoever reads it. */
static void note_packets(struct files_restore *ctx, const FileEntry *entry)
{
	const FileEntry *reg;

	if (entry->type == FD_TYPES__PIPE && (entry->pipe->flags & O_DIRECT))
		hash_put(&ctx->state->packet_pipes, entry->pipe->pipe_id, false, (void *)entry);
	if (entry->type != FD_TYPES__FIFO)
		return;
	reg = model_file(ctx->model, entry->fifo->regf_id);
	if (reg && reg->reg && (reg->reg->flags & O_DIRECT))
		hash_put(&ctx->state->packet_pipes, entry->fifo->pipe_id, true, (void *)entry);
}

struct files_restore_state *files_restore_state(struct files_restore *ctx)
{
	if (ctx->state)
		return ctx->state;

	ctx->state = xalloc(sizeof(*ctx->state));
	ctx->state->looked_up.fd = -1;
	for (size_t i = 0; i < ctx->model->pipe_data.n; i++) {
		struct pipe_data_image *data = &ctx->model->pipe_data.data[i];

		hash_put(&ctx->state->pipe_data, data->entry->pipe_id, data->fifo, data);
	}
	for (size_t i = 0; i < ctx->model->files.n; i++)
		note_packets(ctx, ctx->model->files.data[i]);
	files_raise_limit();
	return ctx->state;
}

/* Out of the way of the numbers users name; where the limit forbids that, low is as good. */
static int move_high(int fd)
{
	int high;

	if (fd >= MADE_FD_BASE)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, MADE_FD_BASE);
	if (high < 0)
		return fd;
	close(fd);
	return high;
}

static int make_one(struct files_restore *ctx, const FileEntry *entry)
{
	LOG_SCOPE("file", entry->id);
	struct files_restore_state *state = ctx->state;
	const struct file_kind *kind = file_kind_of(entry->type);
	auto_free struct made_file *made = xalloc(sizeof(*made));
	int ret;

	if (!kind)
		return fail(ENOTSUP, "%s: not supported by this version", file_type_name(entry->type));
	made->entry = entry;
	made->kind = kind;
	made->fd = -1;
	ret = kind->make(ctx, entry, made);
	if (ret)
		return ret;
	VEC_PUSH(&state->all_made, made);
	hash_put(&state->made, entry->id, 0, take_ptr(made));
	return 0;
}

static bool needs_tasks(const struct model *model, const FileEntry *entry)
{
	const struct file_kind *kind = file_kind_of(entry->type);

	return kind && kind->needs_tasks && kind->needs_tasks(model, entry);
}

/* Once, if it is of those that need the tasks, or of those that don't. */
static int make_wanted(struct files_restore *ctx, uint32_t id, bool with_tasks)
{
	const FileEntry *entry;

	if (hash_get(&ctx->state->made, id, 0))
		return 0;
	entry = model_file(ctx->model, id);
	if (!entry)
		return fail(EINVAL, "file %" PRIu32 " is not in files.img", id);
	return needs_tasks(ctx->model, entry) == with_tasks ? make_one(ctx, entry) : 0;
}

/* What messages carry (SCM_RIGHTS), whether a table names it or not. */
static int make_in_flight(struct files_restore *ctx, const SkPacketEntry *packet, bool with_tasks)
{
	int ret = 0;

	for (size_t i = 0; i < packet->n_scm; i++)
		for (size_t k = 0; k < packet->scm[i]->n_rights && !ret; k++)
			ret = make_wanted(ctx, packet->scm[i]->rights[k], with_tasks);
	return ret;
}

static int make_all(struct files_restore *ctx, bool with_tasks)
{
	struct files_restore_state *state = files_restore_state(ctx);
	int ret = 0;

	for (size_t t = 0; t < ctx->model->fdtables.n; t++) {
		const struct fdtable_image *table = &ctx->model->fdtables.data[t];

		for (size_t i = 0; i < table->n_fds && !ret; i++)
			ret = make_wanted(ctx, table->fds[i]->id, with_tasks);
	}
	for (size_t i = 0; i < ctx->model->sk_packets.n && !ret; i++)
		ret = make_in_flight(ctx, ctx->model->sk_packets.data[i].entry, with_tasks);
	if (ret)
		return ret;
	for (size_t i = 0; i < state->all_made.n; i++)
		state->all_made.data[i]->fd = move_high(state->all_made.data[i]->fd);
	return 0;
}

int files_make(struct files_restore *ctx)
{
	int ret = make_all(ctx, false);

	if (!ret)
		pipe_made_close(ctx->state);
	return ret ? ret : ttys_made(ctx);
}

int files_make_of_tasks(struct files_restore *ctx)
{
	return make_all(ctx, true);
}

struct made_file *files_made(const struct files_restore *ctx, uint32_t id)
{
	return hash_get(&ctx->state->made, id, 0);
}

int files_fd(struct files_restore *ctx, uint32_t id)
{
	const struct made_file *made = hash_get(&files_restore_state(ctx)->made, id, 0);

	if (!made)
		return fail(ENOENT, "file %" PRIu32 " was not made: no descriptor table names it", id);
	return made->fd;
}

static int compare_items(const void *a, const void *b)
{
	const struct courier_item *item_a = a, *item_b = b;

	return (item_a->number > item_b->number) - (item_a->number < item_b->number);
}

int files_table(struct files_restore *ctx, uint32_t files_id, courier_items *ret)
{
	const struct fdtable_image *table = model_fdtable(ctx->model, files_id);
	courier_items items = { 0 };

	if (!table)
		return fail(ENOENT, "descriptor table %" PRIu32 " is not in the images", files_id);

	for (size_t i = 0; i < table->n_fds; i++) {
		struct courier_item item = {
			.fd = files_fd(ctx, table->fds[i]->id),
			.number = table->fds[i]->fd,
			.cloexec = table->fds[i]->flags & FD_CLOEXEC,
		};

		if (item.fd < 0) {
			VEC_FREE(&items);
			return item.fd;
		}
		VEC_PUSH(&items, item);
	}
	if (items.n)
		qsort(items.data, items.n, sizeof(*items.data), compare_items);
	*ret = items;
	return 0;
}

/* --- files that are mapped, run or stood in -------------------------------------- */

static int remember_opened(struct files_restore_state *state, uint32_t id, int flags, int fd)
{
	VEC_PUSH(&state->all_opened, fd);
	hash_put(&state->opened, id, flags, (void *)(intptr_t)(fd + 1));
	return fd;
}

static int open_memfd(struct files_restore *ctx, const FileEntry *entry, int flags, int *ret_fd)
{
	int memfd = shmem_memfd_fd(ctx->shmem, entry->memfd->inode_id);
	int fd;

	if (memfd < 0)
		return memfd;
	fd = file_reopen(memfd, flags);
	if (fd < 0)
		return fail(-fd, "cannot reopen the memfd");
	*ret_fd = fd;
	return 0;
}

static int open_for_mapping(struct files_restore *ctx, const FileEntry *entry, int flags, int *ret_fd)
{
	LOG_SCOPE("file", entry->id);

	switch (entry->type) {
	case FD_TYPES__REG:
		return reg_open(ctx, entry, flags, ret_fd, NULL);
	case FD_TYPES__MEMFD:
		return open_memfd(ctx, entry, flags, ret_fd);
	default:
		return fail(EINVAL, "a %s can't be mapped", file_type_name(entry->type));
	}
}

int files_map_fd(struct files_restore *ctx, const VmaEntry *vma)
{
	struct files_restore_state *state = files_restore_state(ctx);
	const FileEntry *entry = vma->shmid <= UINT32_MAX ? model_file(ctx->model, vma->shmid) : NULL;
	void *known;
	int flags, fd, ret;

	if (!entry)
		return fail(EINVAL, "mapped file %" PRIu64 " is not in files.img", vma->shmid);

	/* Images of old writers leave the mode to be guessed from what the mapping does. */
	if (vma->has_fdflags)
		flags = vma->fdflags & O_ACCMODE;
	else
		flags = (vma->status & VMA_FILE_SHARED) && (vma->prot & 0x2) ? O_RDWR : O_RDONLY;

	known = hash_get(&state->opened, entry->id, flags);
	if (known)
		return (intptr_t)known - 1;
	ret = open_for_mapping(ctx, entry, flags, &fd);
	return ret ? ret : remember_opened(state, entry->id, flags, fd);
}

int files_path_fd(struct files_restore *ctx, uint32_t id)
{
	struct files_restore_state *state = files_restore_state(ctx);
	const FileEntry *entry = model_file(ctx->model, id);
	void *known;
	int flags, fd, ret;

	if (!entry || entry->type != FD_TYPES__REG)
		return fail(EINVAL, "file %" PRIu32 " is not a regular file in files.img", id);

	/* A directory is stood in without being read; PR_SET_MM_EXE_FILE does not take O_PATH. */
	flags = entry->reg->has_mode && S_ISDIR(entry->reg->mode) ? O_PATH | O_DIRECTORY : O_RDONLY;
	known = hash_get(&state->opened, id, flags);
	if (known)
		return (intptr_t)known - 1;

	LOG_SCOPE("file", id);
	ret = reg_open(ctx, entry, flags, &fd, NULL);
	return ret ? ret : remember_opened(state, id, flags, fd);
}

/* --- settling ------------------------------------------------------------------- */

static int settle_one(struct files_restore *ctx, const struct made_file *made)
{
	LOG_SCOPE("file", made->entry->id);

	return made->kind->settle ? made->kind->settle(ctx, made->entry, made->fd) : 0;
}

static int set_owner(struct files_restore *ctx, const struct made_file *made)
{
	LOG_SCOPE("file", made->entry->id);

	return made->inherited ? 0 : fown_restore(ctx->model, made->entry, made->fd);
}

static int for_each_made(struct files_restore *ctx, int (*step)(struct files_restore *, const struct made_file *))
{
	struct files_restore_state *state = files_restore_state(ctx);
	int ret = 0;

	for (size_t i = 0; i < state->all_made.n && !ret; i++)
		ret = step(ctx, state->all_made.data[i]);
	return ret;
}

/* Nobody is sent a signal because of what settling does. */
int files_settle(struct files_restore *ctx)
{
	int ret;

	ttys_close(files_restore_state(ctx));
	ret = for_each_made(ctx, settle_one);
	return ret ? ret : for_each_made(ctx, set_owner);
}

void files_release(struct files_restore *ctx)
{
	if (ctx->state && ctx->state->inets)
		tcp_release_all(ctx);
}

void files_restore_free(struct files_restore *ctx)
{
	struct files_restore_state *state = ctx->state;

	if (!state)
		return;
	pipe_made_close(state);
	unix_restore_free(state);
	inet_restore_free(state);
	ttys_close(state);
	close_fdp(&state->looked_up.fd);
	for (size_t i = 0; i < state->all_made.n; i++) {
		close_fdp(&state->all_made.data[i]->fd);
		free(state->all_made.data[i]);
	}
	for (size_t i = 0; i < state->all_opened.n; i++)
		close_fdp(&state->all_opened.data[i]);
	VEC_FREE(&state->all_made);
	VEC_FREE(&state->all_opened);
	VEC_FREE(&state->all_pipes);
	hash_free(&state->made);
	hash_free(&state->opened);
	hash_free(&state->pipes);
	hash_free(&state->pipe_data);
	hash_free(&state->packet_pipes);
	hash_free(&state->gone_pidfds);
	hash_free(&state->ttys_settled);
	hash_free(&state->mqueues);
	hash_free(&state->slots);
	VEC_FREE(&state->in_flight);
	hash_free(&state->named);
	hash_free(&state->first_slots);
	hash_free(&state->locks);
	free(take_ptr(ctx->state));
}
