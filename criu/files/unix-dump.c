/*
 * Unix sockets, saved. Type, options and queue are seen through our duplicate;
 * name, state and peer are what sock_diag tells (kernel/sock-diag.c).
 */
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "files/fown.h"
#include "files/sock-opts.h"
#include "files/unix-dump.h"
#include "files/unix-sk.h"

struct unix_dump *unix_dump_state(struct files_dump *ctx)
{
	struct files_dump_state *state = files_dump_state(ctx);
	struct unix_dump *unixes;

	if (state->unixes)
		return state->unixes;
	unixes = arena_new_of(ctx->model->arena, struct unix_dump);
	if (sock_diag_unix(&unixes->list))
		return NULL;
	for (size_t i = 0; i < unixes->list.n; i++)
		if (unixes->list.data[i].ino)
			hash_put(&unixes->by_ino, unixes->list.data[i].ino, 0, &unixes->list.data[i]);
	state->unixes = unixes;
	return unixes;
}

void unix_dump_free(struct files_dump_state *state)
{
	if (!state->unixes)
		return;
	sock_diag_unix_free(&state->unixes->list);
	hash_free(&state->unixes->by_ino);
	hash_free(&state->unixes->tree);
	hash_free(&state->unixes->outside);
}

bool unix_match(const struct file_desc *desc)
{
	return S_ISSOCK(desc->st.st_mode) && sock_option(desc->fd, SO_DOMAIN) == AF_UNIX;
}

/* --- plan ------------------------------------------------------------------- */

static void add_groups(struct files_dump *ctx, int fd, UnixCredsEntry *creds)
{
	socklen_t bytes = 0;

	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &bytes) || errno != ERANGE)
		return;
	creds->groups = arena_alloc(ctx->model->arena, bytes);
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, creds->groups, &bytes))
		creds->n_groups = bytes / sizeof(*creds->groups);
}

/* Nobody: never connected. */
static void add_peer_creds(struct files_dump *ctx, int fd, UnixSkEntry *entry)
{
	struct ucred creds;
	socklen_t bytes = sizeof(creds);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &bytes) || (!creds.pid && creds.uid == (uid_t)-1))
		return;
	entry->peer_creds = model_new(ctx->model, UnixCredsEntry, unix_creds_entry__init);
	entry->peer_creds->pid = creds.pid;
	entry->peer_creds->uid = creds.uid;
	entry->peer_creds->gid = creds.gid;
	add_groups(ctx, fd, entry->peer_creds);
}

/* A connected socket without a peer: was the end closed with bytes unread? Looking does not take the error. */
static bool has_error(int fd)
{
	struct pollfd socket = { .fd = fd, .events = POLLIN };

	return poll(&socket, 1, 0) >= 0 && (socket.revents & POLLERR);
}

/* Of datagram sockets kernels show one or the other, depending on their version and on who has connected to them. */
static uint32_t image_state(const struct sock_diag_unix *diag)
{
	if (diag->type != SOCK_DGRAM)
		return diag->state;
	return diag->has_peer ? UNIX_ESTABLISHED : UNIX_CLOSE;
}

static void fill_entry(struct files_dump *ctx, const struct file_desc *desc, const struct sock_diag_unix *diag)
{
	UnixSkEntry *entry = desc->entry->usk;
	int offset = sock_option(desc->fd, SO_PEEK_OFF);

	entry->id = desc->entry->id;
	entry->ino = diag->ino;
	entry->type = diag->type;
	entry->state = image_state(diag);
	entry->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	entry->peer = diag->peer;
	entry->backlog = diag->state == UNIX_LISTEN ? diag->wqueue : 0;
	entry->name.data = arena_memdup(ctx->model->arena, diag->name, diag->name_bytes);
	entry->name.len = diag->name_bytes;
	entry->has_shutdown = diag->shutdown & UNIX_SHUT_BOTH;
	entry->shutdown = diag->shutdown & UNIX_SHUT_BOTH;
	entry->has_reset = entry->reset = has_error(desc->fd);
	entry->has_peek_off = offset >= 0;
	entry->peek_off = offset;
	add_peer_creds(ctx, desc->fd, entry);
}

static bool is_shut(const UnixSkEntry *entry)
{
	return (unsigned int)entry->shutdown == UNIX_SHUT_BOTH;
}

static void refuse_unsupported(struct files_dump *ctx, const struct file_desc *desc, const struct sock_diag_unix *diag)
{
	const UnixSkEntry *entry = desc->entry->usk;

	unix_queue_refuse(ctx, desc);
	/* Shut down by its peer, or else by somebody who can accept it. */
	if (entry->state == UNIX_ESTABLISHED && entry->type != SOCK_DGRAM && !entry->peer && diag->wqueue &&
	    !is_shut(entry))
		refuse_passing(ctx->refusals,
			       "%s: unix socket with bytes sent on a connection that is not accepted yet: they can't "
			       "be read; have it accepted before the dump",
			       desc->link);
}

static void add_seen(struct files_dump *ctx, const struct file_desc *desc)
{
	struct unix_seen *seen = arena_new_of(ctx->model->arena, struct unix_seen);

	seen->entry = desc->entry;
	seen->pid = desc->pid;
	hash_put(&ctx->state->unixes->tree, desc->st.st_ino, 0, seen);
}

int unix_plan(struct files_dump *ctx, struct file_desc *desc)
{
	struct unix_dump *state = unix_dump_state(ctx);
	UnixSkEntry *entry = model_new(ctx->model, UnixSkEntry, unix_sk_entry__init);
	const struct sock_diag_unix *diag;
	int err;

	if (!state)
		return -EIO;
	desc->entry->usk = entry;
	diag = hash_get(&state->by_ino, desc->st.st_ino, 0);
	if (!diag) {
		refuse(ctx->refusals, "%s: unix socket of another network namespace than criu's: run criu inside",
		       desc->link);
		return 0;
	}
	add_seen(ctx, desc);
	if (desc->in_flight)
		peek_guard_outdate(ctx->state->peek_guard);
	fill_entry(ctx, desc, diag);
	refuse_unsupported(ctx, desc, diag);
	err = unix_name_plan(ctx, desc);
	err = err ?: sock_opts_dump(ctx, desc, &entry->opts);
	return err ? err : fown_dump(ctx, desc, &entry->fown);
}

/* --- references ------------------------------------------------------------------- */

/* Who has connected can't be seen before the connection is accepted: one who has the socket is taken for it. */
static void add_waiting_creds(struct files_dump *ctx, pid_t pid, UnixSkEntry *client)
{
	const struct remote_process *process = files_process(ctx, pid);
	UnixCredsEntry *creds = model_new(ctx->model, UnixCredsEntry, unix_creds_entry__init);

	client->waiting_creds = creds;
	creds->pid = pid;
	creds->uid = process->status.uids[1];
	creds->gid = process->status.gids[1];
	creds->n_groups = process->status.n_groups;
	creds->groups =
		arena_memdup(ctx->model->arena, process->status.groups, creds->n_groups * sizeof(*creds->groups));
}

static int resolve_listener(struct files_dump *ctx, const struct file_desc *desc)
{
	const struct unix_dump *state = unix_dump_state(ctx);
	const struct sock_diag_unix *diag = hash_get(&state->by_ino, desc->st.st_ino, 0);

	for (size_t i = 0; diag && i < diag->n_icons; i++) {
		const struct unix_seen *client = hash_get(&state->tree, diag->icons[i], 0);

		if (!diag->icons[i]) {
			refuse_passing(ctx->refusals,
				       "%s: a connection waits to be accepted whose other end is closed: what it sent "
				       "can't be read; accept it before the dump",
				       desc->link);
		} else if (!client) {
			refuse_passing(ctx->refusals,
				       "%s: %s waits to be accepted and is not in the tree: dump that one, too, or "
				       "accept it before the dump",
				       desc->link, unix_outside_text(ctx, diag->icons[i]));
		} else {
			client->entry->usk->peer = diag->ino;
			client->entry->usk->has_waiting = true;
			client->entry->usk->waiting = i;
			add_waiting_creds(ctx, client->pid, client->entry->usk);
		}
	}
	return 0;
}

/* Is it among those who wait at a listener of the tree? */
static bool is_waiting(const struct unix_dump *state, uint32_t ino)
{
	for (size_t i = 0; i < state->list.n; i++)
		for (size_t k = 0; k < state->list.data[i].n_icons; k++)
			if (state->list.data[i].icons[k] == ino)
				return hash_get(&state->tree, state->list.data[i].ino, 0) != NULL;
	return false;
}

static bool is_closed(const UnixSkEntry *entry)
{
	return entry->type == SOCK_DGRAM || is_shut(entry);
}

static void resolve_dgram(struct files_dump *ctx, const struct file_desc *desc, const UnixSkEntry *peer)
{
	const UnixSkEntry *entry = desc->entry->usk;

	if (peer && peer->peer != entry->ino && !peer->name.len)
		refuse(ctx->refusals,
		       "%s: unix socket connected to one without a name, socket:[%" PRIu32 "], that has since been "
		       "connected elsewhere: not supported; close one of the two before the dump",
		       desc->link, entry->peer);
	unix_senders_resolve(ctx, desc, peer);
}

int unix_collect(struct files_dump *ctx, struct file_desc *desc)
{
	return unix_queue_collect(ctx, desc);
}

int unix_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	const struct unix_dump *state = unix_dump_state(ctx);
	const UnixSkEntry *entry = desc->entry->usk;
	const struct unix_seen *peer = hash_get(&state->tree, entry->peer, 0);

	unix_outside_warn(ctx);
	if (entry->state == UNIX_LISTEN)
		return resolve_listener(ctx, desc);
	if (entry->reset && (entry->peer || entry->state != UNIX_ESTABLISHED))
		refuse_passing(ctx->refusals,
			       "%s: unix socket with an error pending: not supported; read it with SO_ERROR",
			       desc->link);
	if (entry->peer && !peer)
		unix_outside_resolve(ctx, desc);
	else if (entry->state == UNIX_ESTABLISHED && !entry->peer && !is_closed(entry) &&
		 !is_waiting(state, entry->ino))
		refuse_passing(ctx->refusals,
			       "%s: unix socket that waits to be accepted by a process outside the tree: dump that "
			       "one, too, or close the connection before the dump",
			       desc->link);
	if (entry->type == SOCK_DGRAM)
		resolve_dgram(ctx, desc, peer ? peer->entry->usk : NULL);
	return 0;
}

int unix_dump(struct files_dump *ctx, struct file_desc *desc)
{
	return desc->entry->usk->state == UNIX_LISTEN ? 0 : unix_queue_dump(ctx, desc);
}
