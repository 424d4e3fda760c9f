/*
 * Internet sockets: TCP, UDP and raw ones (inet-raw.c), over IPv4 and IPv6.
 *
 * The kernel keeps: options, addresses, state, which directions are shut down, what is queued; of a TCP
 * socket that listens, the limit of its backlog. All of it can be seen from outside.
 *
 * Restore binds all sockets with the first one, before any task exists, so that a port that is taken is found
 * early. Several may share a port: those are bound with SO_REUSEADDR and SO_REUSEPORT set, which
 * get their own values when everything is in place. Then come shut down directions,
 * listen(2) and the other options. Datagrams that wait at a UDP socket are there before it is bound (udp-queue.c).
 *
 * Lost: whether an address was bound or chosen by connect(2), which shows when the socket is disconnected.
 */
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "files/inet-dump.h"
#include "files/inet-sk.h"
#include "files/sock-opts.h"
#include "files/tcp.h"
#include "files/udp.h"

/* --- checking ----------------------------------------------------------------- */

static int validate_state(const InetSkEntry *entry)
{
	const bool tcp = inet_is_tcp(entry);

	if (!entry->state || entry->state > INET_CLOSING ||
	    (!tcp && entry->state != INET_CLOSE && entry->state != INET_ESTABLISHED))
		return fail(EINVAL, "internet socket %" PRIu32 ": state %" PRIu32, entry->ino, entry->state);
	return 0;
}

static int inet_validate(const struct model *model, const FileEntry *file)
{
	const InetSkEntry *entry = file->isk;
	int err = validate_state(entry);

	err = err ?: inet_raw_validate(entry);
	err = err ?: inet_opts_validate(entry);
	return err ?: sock_opts_validate(entry->opts);
}

int inet_validate_connections(const struct model *model, const struct options *options)
{
	int err = 0;

	for (size_t i = 0; i < model->files.n && !err; i++) {
		LOG_SCOPE("file", model->files.data[i]->id);
		if (model->files.data[i]->isk && inet_is_connection(model->files.data[i]->isk))
			err = tcp_validate(model, model->files.data[i]->isk, options);
	}
	return err;
}

/* --- making ------------------------------------------------------------------- */

static int set_flag(int fd, const char *text, int name, bool on)
{
	const int value = on;

	if (setsockopt(fd, SOL_SOCKET, name, &value, sizeof(value)))
		return fail_errno("cannot set option %s of a socket to %d", text, value);
	return 0;
}

static int set_reuse(const struct inet_node *node, bool forced)
{
	const SkOptsEntry *opts = node->entry->opts;
	int err = set_flag(node->fd, "SO_REUSEADDR", SO_REUSEADDR, forced || opts->reuseaddr);

	return err ?: set_flag(node->fd, "SO_REUSEPORT", SO_REUSEPORT, forced || opts->so_reuseport);
}

/* Who may share a port is judged by this. */
static int set_owner(const struct inet_node *node)
{
	const InetSkEntry *entry = node->entry;

	if (entry->has_uid && entry->has_gid && fchown(node->fd, entry->uid, entry->gid))
		return fail_errno("cannot give a socket to user %" PRIu32, entry->uid);
	return 0;
}

static int set_device(const struct inet_node *node)
{
	const char *name = node->entry->opts->so_bound_dev;

	if (name && setsockopt(node->fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name)))
		return fail_errno("cannot bind a socket to device %s", name);
	return 0;
}

static int bind_node(const struct inet_node *node)
{
	char text[INET_ADDR_TEXT];
	union inet_addr addr;
	int bytes;

	if (!inet_is_bound(node->entry))
		return 0;
	bytes = inet_addr_src(node->entry, &addr);
	if (bytes < 0)
		return bytes;
	if (bind(node->fd, &addr.sa, bytes))
		return fail_errno("cannot bind a socket to %s", inet_addr_text(&addr, text));
	return 0;
}

static int connect_plain(const struct inet_node *node)
{
	char text[INET_ADDR_TEXT];
	union inet_addr addr;
	int bytes;

	if (inet_is_tcp(node->entry) || node->entry->state != INET_ESTABLISHED)
		return 0;
	bytes = inet_addr_dst(node->entry, &addr);
	if (bytes < 0)
		return bytes;
	if (connect(node->fd, &addr.sa, bytes))
		return fail_errno("cannot connect a socket to %s", inet_addr_text(&addr, text));
	return 0;
}

int inet_new_socket(const InetSkEntry *entry)
{
	int fd = socket(entry->family, entry->type | SOCK_CLOEXEC, entry->proto);

	return fd < 0 ? fail_errno("socket") : fd;
}

static int make_node(struct inet_node *node)
{
	const InetSkEntry *entry = node->entry;
	int err;
	LOG_SCOPE("file", entry->id);

	if (node->fd < 0)
		node->fd = inet_new_socket(entry);
	if (node->fd < 0)
		return node->fd;
	err = set_owner(node);
	err = err ?: set_device(node);
	err = err ?: inet_opts_restore(entry, node->fd);
	if (err)
		return err;
	if (inet_is_connection(entry))
		return node->stream ? tcp_connect(node) : 0;
	err = set_reuse(node, node->forced || entry->state == INET_LISTEN);
	err = err ?: bind_node(node);
	return err ?: connect_plain(node);
}

/* --- the nodes ------------------------------------------------------------------ */

static uint64_t port_key(const InetSkEntry *entry)
{
	return (uint64_t)entry->proto << 32 | entry->src_port;
}

/* The sockets of a port may have been bound by rules that their options don't show any more. */
static void find_shared_ports(struct inet_restore *state)
{
	struct hash first = { 0 };

	for (size_t i = 0; i < state->nodes.n; i++) {
		struct inet_node *node = &state->nodes.data[i], *other;

		/* The port of a raw socket is its protocol. */
		if (!node->entry->src_port || node->entry->type == SOCK_RAW)
			continue;
		other = hash_get(&first, port_key(node->entry), 0);
		if (other)
			other->forced = node->forced = true;
		else
			hash_put(&first, port_key(node->entry), 0, node);
	}
	hash_free(&first);
}

static int make_nodes(struct inet_restore *state, bool connections)
{
	int err = 0;

	for (size_t i = 0; i < state->nodes.n && !err; i++)
		if (inet_is_connection(state->nodes.data[i].entry) == connections)
			err = make_node(&state->nodes.data[i]);
	return err;
}

static int start(struct files_restore *ctx)
{
	struct inet_restore *state = arena_new_of(ctx->model->arena, struct inet_restore);
	int err = 0;

	ctx->state->inets = state;
	for (size_t i = 0; i < ctx->model->files.n; i++) {
		const FileEntry *file = ctx->model->files.data[i];

		if (file->type != FD_TYPES__INETSK)
			continue;
		VEC_PUSH(&state->nodes, ((struct inet_node){ .entry = file->isk, .fd = -1 }));
		hash_put(&state->by_id, file->id, 0, (void *)(intptr_t)state->nodes.n);
	}
	state->closing = ctx->options->tcp_close;
	find_shared_ports(state);
	err = tcp_find_streams(ctx->model, state);
	err = err ?: tcp_lock_all(ctx);
	err = err ?: udp_fill_all(ctx);
	/* A connection may have a port whose owner would not share it otherwise. */
	err = err ?: make_nodes(state, false);
	return err ?: make_nodes(state, true);
}

static int inet_make(struct files_restore *ctx, const FileEntry *file, struct made_file *ret)
{
	int err = ctx->state->inets ? 0 : start(ctx);
	const struct inet_restore *state = ctx->state->inets;
	const struct inet_node *node;

	if (err)
		return err;
	node = &state->nodes.data[(intptr_t)hash_get(&state->by_id, file->id, 0) - 1];
	if (fcntl(node->fd, F_SETFL, file->isk->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("internet socket: F_SETFL");
	/* files_make() may move its descriptor. */
	ret->fd = fcntl(node->fd, F_DUPFD_CLOEXEC, 0);
	return ret->fd < 0 ? fail_errno("cannot duplicate the descriptor of an internet socket") : 0;
}

/* --- settling ------------------------------------------------------------------- */

/* Of a UDP socket without a peer it is done all the same. */
static int shut_down(const struct inet_node *node)
{
	static const int how[] = { -1, SHUT_RD, SHUT_WR, SHUT_RDWR };
	const int wanted = how[node->entry->has_shutdown ? node->entry->shutdown & 3 : 0];

	/* Of a connection it came with its queues. */
	if (inet_is_connection(node->entry))
		return 0;
	if (wanted >= 0 && shutdown(node->fd, wanted) && errno != ENOTCONN)
		return fail_errno("internet socket: shutdown");
	return 0;
}

static int start_listening(const struct inet_node *node)
{
	if (node->entry->state == INET_LISTEN && listen(node->fd, node->entry->backlog))
		return fail_errno("cannot listen on port %" PRIu32, node->entry->src_port);
	return 0;
}

static int settle_all(struct files_restore *ctx)
{
	struct inet_restore *state = ctx->state->inets;
	int err = tcp_fill_all(ctx);

	for (size_t i = 0; i < state->nodes.n && !err; i++) {
		LOG_SCOPE("file", state->nodes.data[i].entry->id);

		err = start_listening(&state->nodes.data[i]);
	}
	for (size_t i = 0; i < state->nodes.n && !err; i++) {
		const struct inet_node *node = &state->nodes.data[i];
		LOG_SCOPE("file", node->entry->id);

		err = shut_down(node);
		/* Until its repair mode ends a connection shares its port with whoever was there before. */
		if (!node->stream)
			err = err ?: set_reuse(node, false);
		err = err ?: sock_opts_restore(node->entry->opts, node->fd);
		err = err ?: inet_opts_restore_late(node->entry, node->fd);
	}
	/* What shows in a SYN is set. */
	return err ?: tcp_connecting_start_all(state);
}

static int inet_settle(struct files_restore *ctx, const FileEntry *file, int fd)
{
	struct inet_restore *state = ctx->state->inets;

	if (state->settled)
		return 0;
	state->settled = true;
	return settle_all(ctx);
}

void inet_restore_free(struct files_restore_state *state)
{
	if (!state->inets)
		return;
	for (size_t i = 0; i < state->inets->nodes.n; i++) {
		close_fdp(&state->inets->nodes.data[i].fd);
		VEC_FREE(&state->inets->nodes.data[i].queue);
	}
	VEC_FREE(&state->inets->nodes);
	hash_free(&state->inets->by_id);
}

const struct file_kind inet_kind = {
	.type = FD_TYPES__INETSK,
	.name = "internet socket",
	.match = inet_match,
	.plan = inet_plan,
	.resolve = inet_resolve,
	.dump = inet_dump_queue,
	.validate = inet_validate,
	.make = inet_make,
	.settle = inet_settle,
};
