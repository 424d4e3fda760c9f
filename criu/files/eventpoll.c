/*
 * epoll(7).
 *
 * The kernel keeps for each target: the description, the number it had when it was added, the events
 * waited for, the user's data. fdinfo shows all but the description, which kcmp(2) finds:
 * the number may have been closed since or lead to another file. A target that only a
 * process outside the tree has open can't be found and is refused.
 *
 * Targets are added in a puppet (files-attach.c): of a signalfd, in one whose
 * task has it under that number, as it may belong to the signals of that task.
 *
 * Lost: that an edge-triggered target was reported: if it is ready, it is reported once
 * more. A disarmed EPOLLONESHOT target is added armed and disarmed by waiting for it, which
 * needs it to be ready for something. An empty pipe gets a byte for that moment; others that are
 * not ready (timerfds, sockets that listen) stay armed for errors and hang-ups, which they hardly ever have.
 * A dump in the middle of a wait loses no event: level and edge are looked at again when a target is added.
 */
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "kernel/proc-scan.h"

/* What stays of the events of a target that EPOLLONESHOT has disarmed. */
#define EVENTS_PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)
#define EVENTS_ANY     (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP)

/* --- dump ------------------------------------------------------------------ */

static bool eventpoll_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:[eventpoll]");
}

static const char *scan_field(const char *p, const char *key, unsigned int base, uint64_t *ret)
{
	p = p ? strstr(p, key) : NULL;
	return p ? scan_number(skip_blanks(p + strlen(key)), base, ret) : NULL;
}

/* "tfd:        5 events:       19 data:                5  pos:0 ino:61af sdev:7" */
static int parse_watched(const char *line, EventpollTfdEntry *ret)
{
	uint64_t tfd, events, data, pos, ino, dev;
	const char *p = scan_field(line, "tfd:", 10, &tfd);

	p = scan_field(p, "events:", 16, &events);
	p = scan_field(p, "data:", 16, &data);
	p = scan_field(p, "pos:", 10, &pos);
	p = scan_field(p, "ino:", 16, &ino);
	p = scan_field(p, "sdev:", 16, &dev);
	if (!p || tfd > INT32_MAX || events > UINT32_MAX || dev > UINT32_MAX)
		return fail(EINVAL, "epoll instance: malformed fdinfo at: %.80s", line);
	ret->tfd = tfd;
	ret->events = events;
	ret->data = data;
	ret->has_pos = ret->has_inode = ret->has_dev = true;
	ret->pos = pos;
	ret->inode = ino;
	ret->dev = dev;
	return 0;
}

static size_t count_watched(const char *text)
{
	size_t n = 0;

	for (const char *line = text; line && *line; line = next_line(line))
		n += scan_key(line, "tfd") != NULL;
	return n;
}

static int eventpoll_plan(struct files_dump *ctx, struct file_desc *desc)
{
	EventpollFileEntry *epoll = model_new(ctx->model, EventpollFileEntry, eventpoll_file_entry__init);

	desc->entry->epfd = epoll;
	epoll->id = desc->entry->id;
	epoll->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	epoll->tfd = arena_array(ctx->model->arena, EventpollTfdEntry *, count_watched(desc->info.text));
	for (const char *line = desc->info.text; *line; line = next_line(line)) {
		EventpollTfdEntry *watched;
		int ret;

		if (!scan_key(line, "tfd"))
			continue;
		watched = model_new(ctx->model, EventpollTfdEntry, eventpoll_tfd_entry__init);
		ret = parse_watched(line, watched);
		if (ret)
			return ret;
		epoll->tfd[epoll->n_tfd++] = watched;
	}
	return fown_dump(ctx, desc, &epoll->fown);
}

static int resolve_one(struct files_dump *ctx, const struct file_desc *desc, EventpollTfdEntry *watched, uint32_t nth)
{
	const struct epoll_watch watch = {
		.pid = desc->node->pid,
		.epoll_fd = desc->node->target_fd,
		.tfd = watched->tfd,
		.nth = nth,
		/* The kernel's own form has 20 bits for the minor number. */
		.dev = makedev(watched->dev >> 20, watched->dev & 0xfffff),
		.ino = watched->inode,
	};
	struct desc_node *node;
	int ret = file_desc_watched(ctx, &watch, &node);

	if (ret)
		return ret;
	if (!node)
		refuse(ctx->refusals,
		       "epoll instance: it watches a file under number %" PRIu32
		       " that was closed in every task of the "
		       "tree but is open elsewhere; take it out with EPOLL_CTL_DEL before it is closed",
		       watched->tfd);
	/* What has no entry was refused for itself. */
	if (node && node->entry)
		watched->id = node->entry->id;
	return 0;
}

static int eventpoll_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	EventpollFileEntry *epoll = desc->entry->epfd;
	struct hash seen = { 0 };
	int ret = 0;

	for (size_t i = 0; i < epoll->n_tfd && !ret; i++) {
		uintptr_t nth = (uintptr_t)hash_get(&seen, epoll->tfd[i]->tfd, 0);

		hash_put(&seen, epoll->tfd[i]->tfd, 0, (void *)(nth + 1));
		ret = resolve_one(ctx, desc, epoll->tfd[i], nth);
	}
	hash_free(&seen);
	return ret;
}

/* --- restore ---------------------------------------------------------------- */

static int eventpoll_validate(const struct model *model, const FileEntry *entry)
{
	if (!entry->epfd || entry->epfd->id != entry->id)
		return fail(EINVAL, "epoll instance without its entry");
	return 0;
}

static int eventpoll_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	auto_fd int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return fail_errno("epoll_create1");
	if (fcntl(fd, F_SETFL, entry->epfd->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("epoll instance: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

static bool is_disarmed(const EventpollTfdEntry *watched)
{
	return (watched->events & EPOLLONESHOT) && !(watched->events & ~EVENTS_PRIVATE);
}

/* The table where the number leads to the target; else the first that has the instance. On its way, all have it. */
static uint32_t table_of(const struct files_restore *ctx, const EventpollFileEntry *epoll,
			 const EventpollTfdEntry *watched)
{
	const struct fdtable_image *first = NULL;
	const bool named = files_is_named(ctx, epoll->id);

	for (size_t i = 0; i < ctx->model->fdtables.n; i++) {
		const struct fdtable_image *table = &ctx->model->fdtables.data[i];
		const FdinfoEntry *slot;

		if (named && !files_first_slot(ctx, table->files_id, epoll->id))
			continue;
		slot = files_slot(ctx, table->files_id, watched->tfd);
		if (slot && slot->id == watched->id)
			return table->files_id;
		if (!first)
			first = table;
	}
	return first ? first->files_id : 0;
}

static bool is_ready(int fd)
{
	struct pollfd target = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	return poll(&target, 1, 0) == 1;
}

/* An empty pipe with a writer: a byte makes it ready. */
static bool put_byte(int fd)
{
	struct stat st;
	auto_fd int write_fd = -1;

	if (fstat(fd, &st) || !S_ISFIFO(st.st_mode))
		return false;
	write_fd = file_reopen(fd, O_WRONLY | O_NONBLOCK);
	return write_fd >= 0 && write(write_fd, "", 1) == 1;
}

static int take_byte(int fd)
{
	auto_fd int read_fd = file_reopen(fd, O_RDONLY | O_NONBLOCK);
	char byte;

	if (read_fd < 0 || read(read_fd, &byte, 1) != 1)
		return fail(EIO, "epoll instance: cannot empty a pipe again");
	return 0;
}

struct adding {
	struct files_restore *ctx;
	const struct files_attach *at;
	int number; /* of the epoll instance in the puppet */
};

static int add(const struct adding *adding, const EventpollTfdEntry *watched, int fd, uint32_t more_events)
{
	struct epoll_event event = { .events = watched->events | more_events, .data.u64 = watched->data };
	struct batch *batch = adding->at->batch;
	int ret = batch_room(batch, ATTACH_LEND_OPS + 1, sizeof(event) + 16);

	if (ret)
		return ret;
	attach_lend(adding->at, fd, watched->tfd);
	batch_must(batch, "add a target to an epoll instance", SYS_epoll_ctl, adding->number, EPOLL_CTL_ADD,
		   watched->tfd, batch_data(batch, &event, sizeof(event)).v);
	attach_return(adding->at, watched->tfd);
	return 0;
}

/* Report a target that was just added: it is the only armed one that is ready. */
static int disarm(const struct adding *adding)
{
	struct batch *batch = adding->at->batch;
	int op, ret = batch_room(batch, 1, sizeof(struct epoll_event) + 16);

	if (ret)
		return ret;
	op = batch_add(batch, SYS_epoll_pwait, adding->number, batch_data(batch, NULL, sizeof(struct epoll_event)).v, 1,
		       0, 0, 0);
	ret = batch_run(batch);
	if (ret)
		return ret;
	return batch_ret(batch, op) == 1 ? 0 : fail(EAGAIN, "epoll instance: cannot disarm a target");
}

static int add_targets(const struct adding *adding, const EventpollFileEntry *epoll, bool disarmed)
{
	/* Waiting would also report what another table has added. */
	const bool alone = !files_made(adding->ctx, epoll->id)->attached;

	for (size_t i = 0; i < epoll->n_tfd; i++) {
		const EventpollTfdEntry *watched = epoll->tfd[i];
		bool report, put = false;
		int fd, ret;

		if (is_disarmed(watched) != disarmed || table_of(adding->ctx, epoll, watched) != adding->at->files_id)
			continue;
		fd = files_fd(adding->ctx, watched->id);
		if (fd < 0)
			return fd;
		report = disarmed && alone && is_ready(fd);
		if (disarmed && alone && !report)
			report = put = put_byte(fd);
		ret = add(adding, watched, fd, report ? EVENTS_ANY : 0);
		if (!ret && report)
			ret = disarm(adding);
		if (put)
			ret = ret ?: take_byte(fd);
		if (ret)
			return ret;
	}
	return 0;
}

static int eventpoll_attach(struct files_restore *ctx, const FileEntry *entry, const struct files_attach *at)
{
	/* Out of the way of every target. */
	const struct adding adding = { .ctx = ctx, .at = at, .number = at->courier->pidfd + 1 };
	int fd = files_fd(ctx, entry->id), ret;

	if (!entry->epfd->n_tfd || fd < 0)
		return fd < 0 ? fd : 0;
	ret = batch_room(at->batch, ATTACH_LEND_OPS, 0);
	if (ret)
		return ret;
	attach_lend(at, fd, adding.number);
	ret = add_targets(&adding, entry->epfd, true);
	if (!ret)
		ret = add_targets(&adding, entry->epfd, false);
	if (!ret)
		ret = batch_room(at->batch, 1, 0);
	if (!ret)
		attach_return(at, adding.number);
	return ret;
}

const struct file_kind eventpoll_kind = {
	.type = FD_TYPES__EVENTPOLL,
	.name = "epoll instance",
	.match = eventpoll_match,
	.plan = eventpoll_plan,
	.resolve = eventpoll_resolve,
	.validate = eventpoll_validate,
	.make = eventpoll_make,
	.attach = eventpoll_attach,
};
