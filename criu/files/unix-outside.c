/*
 * Unix sockets whose other end a process outside the tree has.
 *
 * The kernel keeps for both: who the peer is; sock_diag shows it, /proc/PID/fd who has it.
 *
 * What restore can do without that process is connect a datagram socket again, to
 * the name the other one is bound to (/dev/log, /run/systemd/notify), with --ext-unix-sk. Such a name becomes an
 * entry of its own, as mainline has it: a socket of no table, marked EXTERN.
 * The end of a stream or of a pair is lost: with --ext-unix-sk=INODE it comes back as if its peer had
 * closed, with --external unix[INODE] only if the user gives another one (--inherit-fd).
 *
 * Who has connected a datagram socket to one of the tree is told the next time it sends
 * (ECONNREFUSED), as when a server is restarted: a warning names it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "files/fown.h"
#include "files/inherit.h"
#include "files/unix-sk.h"

/* --- who it is ---------------------------------------------------------------- */

const char *unix_outside_text(struct files_dump *ctx, uint32_t ino)
{
	const struct sock_diag_unix *diag = hash_get(&ctx->state->unixes->by_ino, ino, 0);
	auto_free char *owner = outside_owner_text(ctx, ino, false);

	return arena_printf(ctx->model->arena, "socket:[%" PRIu32 "]%s of %s", ino,
			    diag ? unix_name_text(ctx->model->arena, diag->name, diag->name_bytes) : "", owner);
}

/* --- what becomes of it ---------------------------------------------------------- */

/* Does its name lead to it, for whoever connects from our root? */
static bool can_be_found(const struct sock_diag_unix *peer)
{
	struct stat st;

	if (!peer || !peer->name_bytes)
		return false;
	if (!peer->name[0])
		return true;
	return peer->name[0] == '/' && !lstat(peer->name, &st) && S_ISSOCK(st.st_mode) &&
	       (uint32_t)st.st_ino == peer->file_ino && (major(st.st_dev) << 20 | minor(st.st_dev)) == peer->file_dev;
}

/* Several sockets may be connected to it. */
static void add_outside_entry(struct files_dump *ctx, const struct sock_diag_unix *peer)
{
	struct unix_dump *state = ctx->state->unixes;
	FileEntry *file;
	UnixSkEntry *entry;

	if (hash_get(&state->outside, peer->ino, 0))
		return;
	file = model_add_file(ctx->model, FD_TYPES__UNIXSK);
	entry = model_new(ctx->model, UnixSkEntry, unix_sk_entry__init);
	file->usk = entry;
	entry->id = file->id;
	entry->ino = peer->ino;
	entry->type = peer->type;
	entry->state = UNIX_LISTEN;
	entry->uflags = UNIX_EXTERN;
	entry->name.data = arena_memdup(ctx->model->arena, peer->name, peer->name_bytes);
	entry->name.len = peer->name_bytes;
	entry->fown = fown_none(ctx->model);
	entry->opts = model_new(ctx->model, SkOptsEntry, sk_opts_entry__init);
	hash_put(&state->outside, peer->ino, 0, entry);
}

static bool is_external(const struct files_dump *ctx, uint32_t ino)
{
	char key[INHERIT_KEY_BYTES];

	snprintf(key, sizeof(key), "unix[%" PRIu32 "]", ino);
	return inherit_external(ctx->options, key);
}

/* What is queued would be nowhere. */
static void leave_to_user(struct files_dump *ctx, const struct file_desc *desc)
{
	UnixSkEntry *entry = desc->entry->usk;
	const struct sock_diag_unix *diag = hash_get(&ctx->state->unixes->by_ino, entry->ino, 0);

	if (diag && diag->rqueue)
		refuse_passing(ctx->refusals,
			       "%s: it is external, but %" PRIu32
			       " bytes that were not read are queued at it: have them read before the dump, or use "
			       "--ext-unix-sk=%" PRIu32,
			       desc->link, diag->rqueue, entry->ino);
	entry->uflags = UNIX_EXTERN;
	entry->peer = 0;
}

/* The listener that has accepted it lives on, with the name of both. */
static bool is_name_taken(const struct unix_dump *state, const struct sock_diag_unix *diag)
{
	for (size_t i = 0; diag && diag->name_bytes && i < state->list.n; i++) {
		const struct sock_diag_unix *other = &state->list.data[i];

		if (other->state == UNIX_LISTEN && other->type == diag->type &&
		    !hash_get(&state->tree, other->ino, 0) && other->name_bytes == diag->name_bytes &&
		    !memcmp(other->name, diag->name, diag->name_bytes))
			return true;
	}
	return false;
}

static void lose_peer(struct files_dump *ctx, const struct file_desc *desc)
{
	UnixSkEntry *entry = desc->entry->usk;
	const struct sock_diag_unix *diag = hash_get(&ctx->state->unixes->by_ino, entry->ino, 0);

	pr_warn("%s: its other end is %s, outside the tree: it is closed after restore", desc->link,
		unix_outside_text(ctx, entry->peer));
	entry->peer = 0;
	if (!is_name_taken(ctx->state->unixes, diag))
		return;
	/* A path is bound where nobody sees it. */
	if (diag->name[0])
		entry->has_deleted = entry->deleted = true;
	else
		refuse(ctx->refusals,
		       "%s: a process outside the tree listens at its abstract name%s, so it can't have that after "
		       "restore: close the connection before the dump, or use --external unix[%" PRIu32 "]",
		       desc->link, unix_name_text(ctx->model->arena, diag->name, diag->name_bytes), entry->ino);
}

static void refuse_peer(struct files_dump *ctx, const struct file_desc *desc, const struct sock_diag_unix *peer)
{
	const UnixSkEntry *entry = desc->entry->usk;
	const char *text = unix_outside_text(ctx, entry->peer);

	if (entry->type == SOCK_DGRAM && can_be_found(peer))
		refuse(ctx->refusals,
		       "%s: unix socket connected to %s, outside the tree: dump that one, too, or have it connected to "
		       "the same name again with --ext-unix-sk",
		       desc->link, text);
	else
		refuse(ctx->refusals,
		       "%s: the other end of the unix socket is %s, outside the tree: dump that one, too; or close the "
		       "connection before the dump; or use --ext-unix-sk=%" PRIu32 " to find it closed after restore, "
		       "--external unix[%" PRIu32 "] to give another one then",
		       desc->link, text, entry->ino, entry->ino);
}

void unix_outside_resolve(struct files_dump *ctx, const struct file_desc *desc)
{
	UnixSkEntry *entry = desc->entry->usk;
	const struct sock_diag_unix *peer = hash_get(&ctx->state->unixes->by_ino, entry->peer, 0);

	if (is_external(ctx, entry->ino) || is_external(ctx, entry->peer)) {
		leave_to_user(ctx, desc);
	} else if (options_unix_may_lose(ctx->options, entry->ino, entry->peer)) {
		lose_peer(ctx, desc);
	} else if (entry->type == SOCK_DGRAM && ctx->options->ext_unix_sk && can_be_found(peer)) {
		add_outside_entry(ctx, peer);
	} else {
		refuse_peer(ctx, desc, peer);
	}
}

void unix_outside_warn(struct files_dump *ctx)
{
	struct unix_dump *state = ctx->state->unixes;

	for (size_t i = 0; i < state->list.n && !state->warned; i++) {
		const struct sock_diag_unix *diag = &state->list.data[i];
		const struct unix_seen *seen = hash_get(&state->tree, diag->peer, 0);

		/* Its own other end: that is refused or said already. */
		if (diag->type != SOCK_DGRAM || !diag->ino || !seen || hash_get(&state->tree, diag->ino, 0) ||
		    seen->entry->usk->peer == diag->ino)
			continue;
		pr_warn("socket:[%" PRIu32
			"] of task %d: %s is connected to it from outside the tree, and has to connect "
			"again after the dump",
			diag->peer, seen->pid, unix_outside_text(ctx, diag->ino));
	}
	state->warned = true;
}
