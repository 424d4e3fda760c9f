/*
 * Datagrams at a bound unix socket, to which anybody can send.
 *
 * With each of them the kernel keeps the socket it came from, and shows the receiver the name of that.
 * Which socket it was can't be seen; one of the tree that has the name sends the datagram again. A sender
 * without a name, or one that is gone, is stood in for: its path is bound where nobody sees it. An abstract
 * name that nobody in the tree has may be somebody else's, so that is refused.
 *
 * A connected socket takes datagrams from the one at its other end only, but keeps what others sent before.
 */
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "files/unix-sk.h"

static bool is_same(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* --- dump ------------------------------------------------------------------ */

bool unix_senders_matter(const struct file_desc *desc)
{
	const UnixSkEntry *entry = desc->entry->usk;
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN };

	return entry->type == SOCK_DGRAM && entry->name.len && poll(&socket, 1, 0) == 1 && (socket.revents & POLLIN);
}

static bool is_in_tree(const struct files_dump *ctx, const ProtobufCBinaryData *name)
{
	for (size_t i = 0; i < ctx->model->files.n; i++) {
		const FileEntry *file = ctx->model->files.data[i];

		if (file->type == FD_TYPES__UNIXSK && file->usk->type == SOCK_DGRAM && is_same(&file->usk->name, name))
			return true;
	}
	return false;
}

/* From somebody else than the one it is connected to now? */
static bool is_older(const UnixSkEntry *entry, const UnixSkEntry *peer, const SkPacketEntry *packet)
{
	if (peer)
		return !is_same(&peer->name, &packet->sender);
	return entry->peer || (entry->state == UNIX_ESTABLISHED && packet->sender.len);
}

static void resolve_packet(struct files_dump *ctx, const struct file_desc *desc, const UnixSkEntry *peer,
			   SkPacketEntry *packet)
{
	const UnixSkEntry *entry = desc->entry->usk;
	const ProtobufCBinaryData *sender = &packet->sender;

	if (peer && peer->peer == entry->ino)
		packet->has_sender = false; /* there is only one */
	else if (is_older(entry, peer, packet))
		refuse_passing(ctx->refusals,
			       "%s: a datagram is queued at it that is not from the socket it is connected to: not "
			       "supported; have it received before the dump",
			       desc->link);
	else if (sender->len && !sender->data[0] && !is_in_tree(ctx, sender))
		refuse_passing(ctx->refusals,
			       "%s: a datagram is queued at it from a unix socket with abstract name @%.*s, which is "
			       "not in the tree: dump whoever has it, too, or have the datagram received before the "
			       "dump",
			       desc->link, (int)sender->len - 1, (const char *)sender->data + 1);
}

void unix_senders_resolve(struct files_dump *ctx, const struct file_desc *desc, const UnixSkEntry *peer)
{
	for (size_t i = 0; desc->entry->usk->name.len && i < ctx->model->sk_packets.n; i++)
		if (ctx->model->sk_packets.data[i].entry->id_for == desc->entry->id)
			resolve_packet(ctx, desc, peer, ctx->model->sk_packets.data[i].entry);
}

/* --- restore ---------------------------------------------------------------- */

static bool is_open_to_all(const struct unix_node *node)
{
	return node->entry->type == SOCK_DGRAM && node->entry->name.len && !unix_is_paired(node);
}

static const struct unix_node *find_sender(const struct unix_restore *state, const ProtobufCBinaryData *name)
{
	for (size_t i = 0; name->len && i < state->n; i++) {
		const struct unix_node *node = &state->nodes[i];

		if (node->entry->type == SOCK_DGRAM && !node->outside && node->fd >= 0 &&
		    is_same(&node->entry->name, name))
			return node;
	}
	return NULL;
}

static int stand_in(const SkPacketEntry *packet, struct unix_route *route)
{
	UnixSkEntry entry = UNIX_SK_ENTRY__INIT;
	struct unix_node node = { .entry = &entry };

	route->fd = node.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (route->fd < 0)
		return fail_errno("socket");
	route->own = true;
	entry.name = packet->sender;
	entry.deleted = true;
	return unix_name_bind(&node);
}

static int connected_route(const struct unix_node *node, struct unix_route *route)
{
	route->fd = node->peer ? node->peer->fd : node->spare_fd;
	return route->fd < 0 ? fail(EINVAL, "messages are queued at a socket that nobody can send to") : 0;
}

int unix_senders_route(const struct unix_restore *state, const SkPacketEntry *packet, const struct unix_node *node,
		       struct unix_route *ret)
{
	const struct unix_node *sender = node->peer ?: find_sender(state, &packet->sender);
	int err;

	*ret = (struct unix_route){ .fd = -1, .to_file = -1 };
	if (!is_open_to_all(node))
		return connected_route(node, ret);
	ret->fd = sender ? sender->fd : -1;
	err = ret->fd < 0 ? stand_in(packet, ret) : 0;
	err = err ?: unix_name_address(node, &ret->to, &ret->to_bytes, &ret->to_file);
	if (err)
		unix_route_free(ret);
	return err;
}

void unix_route_free(struct unix_route *route)
{
	if (route->own)
		close_fdp(&route->fd);
	close_fdp(&route->to_file);
}
