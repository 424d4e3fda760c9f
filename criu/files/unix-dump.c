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
	peek_guard_stop(state->unixes->guard);
	sock_diag_unix_free(&state->unixes->list);
	hash_free(&state->unixes->by_ino);
	hash_free(&state->unixes->tree);
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

static void fill_entry(struct files_dump *ctx, const struct file_desc *desc, const struct sock_diag_unix *diag)
{
	UnixSkEntry *entry = desc->entry->usk;
	int offset = sock_option(desc->fd, SO_PEEK_OFF);

	entry->id = desc->entry->id;
	entry->ino = diag->ino;
	entry->type = diag->type;
	/* Kernels before 6.10 show that of datagram sockets of a pair as closed. */
	entry->state = diag->has_peer && diag->state != UNIX_LISTEN ? UNIX_ESTABLISHED : diag->state;
	entry->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	entry->peer = diag->peer;
	entry->name.data = arena_memdup(ctx->model->arena, diag->name, diag->name_bytes);
	entry->name.len = diag->name_bytes;
	entry->has_shutdown = diag->shutdown & UNIX_SHUT_BOTH;
	entry->shutdown = diag->shutdown & UNIX_SHUT_BOTH;
	entry->has_reset = entry->reset = has_error(desc->fd);
	entry->has_peek_off = offset >= 0;
	entry->peek_off = offset;
	add_peer_creds(ctx, desc->fd, entry);
}

static void refuse_unsupported(struct files_dump *ctx, const struct file_desc *desc, const struct sock_diag_unix *diag)
{
	if (diag->state == UNIX_LISTEN || diag->name_bytes)
		refuse(ctx->refusals, "%s: unix socket with a name%s%s: not supported by this version", desc->link,
		       diag->name_bytes && diag->name[0] ? " " : "",
		       diag->name_bytes && diag->name[0] ? diag->name : "");
	unix_queue_refuse(ctx, desc);
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
	hash_put(&state->tree, diag->ino, 0, desc->entry);
	fill_entry(ctx, desc, diag);
	refuse_unsupported(ctx, desc, diag);
	err = sock_opts_dump(ctx, desc, &entry->opts);
	return err ? err : fown_dump(ctx, desc, &entry->fown);
}

int unix_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	const struct unix_dump *state = unix_dump_state(ctx);
	const UnixSkEntry *entry = desc->entry->usk;

	const FileEntry *peer = hash_get(&state->tree, entry->peer, 0);

	if (entry->peer && !peer)
		refuse(ctx->refusals,
		       "%s: the other end of the unix socket, socket:[%" PRIu32
		       "], is not in the tree: dump whoever has "
		       "it, too, or close the connection before the dump",
		       desc->link, entry->peer);
	if (peer && peer->usk->peer != entry->ino)
		refuse(ctx->refusals,
		       "%s: unix socket connected to one without a name, socket:[%" PRIu32 "], that has since been "
		       "connected elsewhere: not supported",
		       desc->link, entry->peer);
	if (entry->reset && (entry->peer || entry->state != UNIX_ESTABLISHED))
		refuse(ctx->refusals, "%s: unix socket with an error pending: not supported; read it with SO_ERROR",
		       desc->link);
	return 0;
}

int unix_dump(struct files_dump *ctx, struct file_desc *desc)
{
	return unix_queue_dump(ctx, desc);
}
