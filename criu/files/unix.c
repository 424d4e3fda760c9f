/*
 * unix(7) sockets.
 *
 * The kernel keeps: type, options, state, name, the peer and who it was
 * (SO_PEERCRED), what is queued, which directions are shut down, that the peer was closed with
 * bytes unread. All of it can be seen from outside.
 *
 * Restore makes all sockets with the first one, before any task exists: those without a name as a
 * pair, the others as unix-connect.c tells, by children that stand in for whoever had
 * connected them (unix-as.c).
 * Queues are filled in settle, when every task exists, for a message may carry the number of one.
 * Then ends that nobody has are closed, directions shut down, options set.
 *
 * Lost: SO_PEERPIDFD of a pair; how a stream divides into buffers.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <linux/un.h>

#include "files/inherit.h"
#include "files/sock-opts.h"
#include "files/unix-dump.h"
#include "files/unix-sk.h"

/* --- checking ----------------------------------------------------------------- */

static int unix_validate(const struct model *model, const FileEntry *file)
{
	const UnixSkEntry *entry = file->usk;

	if (!entry || entry->id != file->id || !entry->opts)
		return fail(EINVAL, "unix socket without its entry");
	if (entry->uflags & ~(uint32_t)UNIX_EXTERN)
		return fail(ENOTSUP,
			    "unix socket %" PRIu32 ": flags %#" PRIx32 ", of a plugin or a service: not supported",
			    entry->ino, entry->uflags);
	if (unix_is_outside(entry) && entry->name.len && entry->name.data[0] && entry->name.data[0] != '/')
		return fail(EINVAL, "unix socket %" PRIu32 ": outside the images at a relative name", entry->ino);
	if (entry->state == UNIX_LISTEN && !entry->name.len)
		return fail(EINVAL, "unix socket %" PRIu32 " listens without a name", entry->ino);
	return sock_opts_validate(entry->opts);
}

/* --- making ------------------------------------------------------------------- */

static int make_pair(struct unix_node *node)
{
	int ends[2];

	if (socketpair(AF_UNIX, node->entry->type | SOCK_CLOEXEC, 0, ends))
		return fail_errno("socketpair");
	node->fd = ends[0];
	if (node->peer)
		node->peer->fd = ends[1];
	else
		node->spare_fd = ends[1];
	return 0;
}

static int make_pairs(void *arg)
{
	const struct unix_making *making = arg;
	int err = 0;

	for (size_t i = 0; i < making->state->n && !err; i++) {
		struct unix_node *node = &making->state->nodes[i];

		if (node->fd < 0 && unix_is_paired(node) && unix_creds_equal(node->entry->peer_creds, making->creds))
			err = make_pair(node);
	}
	return err;
}

static int make_all(struct unix_restore *state)
{
	int err = 0;

	for (size_t i = 0; i < state->n && !err; i++) {
		struct unix_node *node = &state->nodes[i];
		struct unix_making making = { .state = state, .creds = node->entry->peer_creds };

		if (node->fd < 0 && unix_is_paired(node))
			err = unix_as(making.creds, make_pairs, &making);
	}
	return err ? err : unix_connect_all(state);
}

/* --- the nodes ------------------------------------------------------------------ */

static size_t count_unix(const struct model *model)
{
	size_t n = 0;

	for (size_t i = 0; i < model->files.n; i++)
		n += model->files.data[i]->type == FD_TYPES__UNIXSK;
	return n;
}

bool unix_is_outside(const UnixSkEntry *entry)
{
	return (entry->uflags & UNIX_EXTERN) && entry->type == SOCK_DGRAM && entry->state == UNIX_LISTEN;
}

/* Does the user give it, or allow what restore does without? */
static int ask_user(const struct files_restore *ctx, struct unix_node *node)
{
	const struct options *options = ctx->options;
	const UnixSkEntry *entry = node->entry;
	char key[INHERIT_KEY_BYTES];

	inherit_key_socket(key, entry->ino);
	node->outside = unix_is_outside(entry);
	node->given_fd = options_inherited(options, key);
	if (node->given_fd < 0 && !node->outside && (entry->uflags & UNIX_EXTERN) &&
	    !options_unix_may_lose(options, entry->ino, entry->ino))
		return fail(EINVAL,
			    "unix socket %s was external: give it with --inherit-fd fd[N]:%s, or have its other end "
			    "closed with --ext-unix-sk=%" PRIu32,
			    key, key, entry->ino);
	if (node->peer && unix_is_outside(node->peer->entry) && !options->ext_unix_sk)
		return fail(EINVAL,
			    "unix socket %s was connected to%s outside the images: have it connected again with "
			    "--ext-unix-sk",
			    key,
			    unix_name_text(ctx->model->arena, node->peer->entry->name.data,
					   node->peer->entry->name.len));
	return 0;
}

static void link_peers(struct unix_restore *state)
{
	struct hash by_ino = { 0 };

	for (size_t i = 0; i < state->n; i++)
		hash_put(&by_ino, state->nodes[i].entry->ino, 0, &state->nodes[i]);
	for (size_t i = 0; i < state->n; i++)
		if (state->nodes[i].entry->peer && !(state->nodes[i].entry->uflags & UNIX_EXTERN))
			state->nodes[i].peer = hash_get(&by_ino, state->nodes[i].entry->peer, 0);
	for (size_t i = 0; i < state->n; i++)
		if (state->nodes[i].peer)
			state->nodes[i].peer->is_target = true;
	hash_free(&by_ino);
}

static int start(struct files_restore *ctx)
{
	struct unix_restore *state = arena_new_of(ctx->model->arena, struct unix_restore);
	const size_t n = count_unix(ctx->model);
	int err = 0;

	/* As many again stand in for listeners that are gone. */
	state->room = 2 * n;
	state->nodes = mmap(NULL, state->room * sizeof(*state->nodes), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state->nodes == MAP_FAILED)
		return fail_errno("no memory to share with children");
	ctx->state->unixes = state;
	for (size_t i = 0; i < ctx->model->files.n; i++) {
		const FileEntry *file = ctx->model->files.data[i];
		struct unix_node *node = &state->nodes[state->n];

		if (file->type != FD_TYPES__UNIXSK)
			continue;
		state->n++;
		node->entry = file->usk;
		node->fd = node->spare_fd = node->given_fd = -1;
		hash_put(&state->by_id, file->id, 0, node);
	}
	link_peers(state);
	for (size_t i = 0; i < state->n && !err; i++)
		err = ask_user(ctx, &state->nodes[i]);
	for (size_t i = 0; i < state->n && !err; i++)
		if (state->nodes[i].peer && state->nodes[i].peer->given_fd >= 0)
			err = fail(EINVAL,
				   "socket:[%" PRIu32 "] is given with --inherit-fd, but socket:[%" PRIu32
				   "] of the images is connected to it",
				   state->nodes[i].peer->entry->ino, state->nodes[i].entry->ino);
	if (err)
		return err;
	unix_find_servers(state, ctx->model);
	return make_all(state);
}

static int unix_make(struct files_restore *ctx, const FileEntry *file, struct made_file *ret)
{
	struct unix_node *node;
	int err = ctx->state->unixes ? 0 : start(ctx);

	if (err)
		return err;
	node = hash_get(&ctx->state->unixes->by_id, file->id, 0);
	if (node->given_fd >= 0)
		return inherit_share(node->given_fd, ret);
	if (node->fd < 0)
		return fail(EINVAL, "unix socket outside the images: a descriptor table names it");
	if (fcntl(node->fd, F_SETFL, file->usk->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("unix socket: F_SETFL");
	/* files_make() may move its descriptor. */
	ret->fd = fcntl(node->fd, F_DUPFD_CLOEXEC, 0);
	if (ret->fd < 0)
		return fail_errno("cannot duplicate the descriptor of a unix socket");
	node->taken = true;
	return 0;
}

/* --- settling ------------------------------------------------------------------- */

/* Bytes that are unread when an end is closed are an error at the other. */
static int close_spare(struct unix_node *node)
{
	if (node->spare_fd < 0)
		return 0;
	if (node->entry->reset && send(node->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return fail_errno("cannot leave a byte unread at a closed unix socket");
	close(take_fd(&node->spare_fd));
	return 0;
}

static int shut_down(const struct unix_node *node)
{
	static const int how[] = { -1, SHUT_RD, SHUT_WR, SHUT_RDWR };
	const int wanted = how[node->entry->shutdown & UNIX_SHUT_BOTH];

	if (node->fd >= 0 && wanted >= 0 && shutdown(node->fd, wanted))
		return fail_errno("unix socket: shutdown");
	return 0;
}

static int set_peek_off(const struct unix_node *node)
{
	const int offset = node->entry->peek_off;

	if (node->entry->has_peek_off && setsockopt(node->fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)))
		return fail_errno("unix socket: SO_PEEK_OFF");
	return 0;
}

static int settle_all(struct files_restore *ctx)
{
	struct unix_restore *state = ctx->state->unixes;
	int err = unix_fill_queues(ctx);

	for (size_t i = 0; i < state->n && !err; i++)
		err = close_spare(&state->nodes[i]);
	for (size_t i = 0; i < state->n && !err; i++)
		err = shut_down(&state->nodes[i]);
	for (size_t i = 0; i < state->n && !err; i++) {
		if (state->nodes[i].fd < 0 || state->nodes[i].stand_in)
			continue;
		const struct unix_node *node = &state->nodes[i];
		LOG_SCOPE("file", node->entry->id);

		err = sock_opts_restore(node->entry->opts, node->fd);
		err = err ?: set_peek_off(node);
	}
	return err;
}

static void close_nodes(struct unix_restore *state)
{
	for (size_t i = 0; i < state->n; i++) {
		close_fdp(&state->nodes[i].fd);
		close_fdp(&state->nodes[i].spare_fd);
		state->nodes[i].fd = state->nodes[i].spare_fd = -1;
	}
}

static int unix_settle(struct files_restore *ctx, const FileEntry *file, int fd)
{
	struct unix_restore *state = ctx->state->unixes;
	int err;

	if (state->settled)
		return 0;
	err = settle_all(ctx);
	if (err)
		return err;
	state->settled = true;
	close_nodes(state);
	return 0;
}

void unix_restore_free(struct files_restore_state *state)
{
	if (!state->unixes)
		return;
	for (size_t i = 0; i < state->unixes->n && !state->unixes->settled; i++)
		unix_name_undo(&state->unixes->nodes[i]);
	close_nodes(state->unixes);
	hash_free(&state->unixes->by_id);
	munmap(state->unixes->nodes, state->unixes->room * sizeof(*state->unixes->nodes));
}

const struct file_kind unix_kind = {
	.type = FD_TYPES__UNIXSK,
	.name = "unix socket",
	.match = unix_match,
	.plan = unix_plan,
	.collect = unix_collect,
	.resolve = unix_resolve,
	.dump = unix_dump,
	.validate = unix_validate,
	.make = unix_make,
	.settle = unix_settle,
};
