/*
 * What was queued at a unix socket, sent again from its other end, when every task
 * exists and every description that a message carries is made. Sockets in messages make a
 * graph: the kernel wants to be given the outer ones first, which is the order of the images.
 */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "files/udp.h"
#include "files/unix-sk.h"

static int validate_rights(const SkPacketEntry *packet, const FileEntry *file)
{
	const ScmEntry *scm;

	if (!packet->n_scm)
		return 0;
	scm = packet->scm[0];
	if (packet->n_scm > 1 || scm->type != SCM_RIGHTS || !scm->n_rights || scm->n_rights > UNIX_RIGHTS_MAX)
		return fail(EINVAL, "unix socket %" PRIu32 ": a message with %zu control entries, %zu descriptors",
			    packet->id_for, packet->n_scm, scm->n_rights);
	if (file->usk->type == SOCK_STREAM && !packet->length)
		return fail(EINVAL, "unix socket %" PRIu32 ": descriptors without a byte of the stream",
			    packet->id_for);
	return 0;
}

int unix_queues_validate(const struct model *model)
{
	for (size_t i = 0; i < model->sk_packets.n; i++) {
		const SkPacketEntry *packet = model->sk_packets.data[i].entry;
		const FileEntry *file = model_file(model, packet->id_for);
		int err;

		if (file && file->isk)
			err = udp_queue_validate(packet, file);
		else
			err = file && file->usk && !packet->inet ? validate_rights(packet, file) : -EINVAL;
		if (err)
			return err;
		if (file->isk)
			continue;
		if (file->usk->state == UNIX_LISTEN)
			return fail(EINVAL, "unix socket %" PRIu32 ": a message at a listening socket", packet->id_for);
	}
	return 0;
}

/* What is sent with the bytes, the first of them if they go in several parts. */
struct cargo {
	const struct unix_route *route;
	const struct ucred *creds; /* or NULL */
	size_t n_rights;
	int rights[UNIX_RIGHTS_MAX]; /* borrowed */
};

static void add_control(struct msghdr *msg, int type, const void *data, size_t bytes)
{
	struct cmsghdr *cmsg = (void *)((char *)msg->msg_control + msg->msg_controllen);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(cmsg), data, bytes);
	msg->msg_controllen += CMSG_SPACE(bytes);
}

static ssize_t send_cargo(const void *bytes, size_t n, const struct cargo *cargo)
{
	union unix_control control = { 0 };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = n };
	struct sockaddr_un to = cargo->route->to;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes };

	if (cargo->route->to_bytes) {
		msg.msg_name = &to;
		msg.msg_namelen = cargo->route->to_bytes;
	}

	if (cargo->creds)
		add_control(&msg, SCM_CREDENTIALS, cargo->creds, sizeof(*cargo->creds));
	if (cargo->n_rights)
		add_control(&msg, SCM_RIGHTS, cargo->rights, cargo->n_rights * sizeof(int));
	return sendmsg(cargo->route->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_packet(const void *bytes, size_t n, const UnixCredsEntry *from, struct cargo *cargo)
{
	struct ucred creds;
	ssize_t sent;

	if (!from)
		return send_cargo(bytes, n, cargo);
	creds = (struct ucred){ .pid = from->pid, .uid = from->uid, .gid = from->gid };
	cargo->creds = &creds;
	sent = creds.pid ? send_cargo(bytes, n, cargo) : -1;
	if (sent >= 0 || (creds.pid && errno != ESRCH))
		return sent;
	pr_warn("the sender of a queued message, process %u, is gone: its credentials show criu's number", from->pid);
	creds.pid = getpid();
	return send_cargo(bytes, n, cargo);
}

static int load(struct files_restore *ctx, const SkPacketEntry *packet, struct cargo *ret)
{
	*ret = (struct cargo){ 0 };
	for (size_t i = 0; packet->n_scm && i < packet->scm[0]->n_rights; i++) {
		int fd = files_fd(ctx, packet->scm[0]->rights[i]);

		if (fd < 0)
			return fd;
		ret->rights[ret->n_rights++] = fd;
	}
	return 0;
}

static int fill(struct files_restore *ctx, const struct sk_packet_image *packet, const struct unix_route *route,
		bool stream)
{
	const SkPacketEntry *entry = packet->entry;
	struct cargo cargo;
	size_t done = 0;
	int err = load(ctx, entry, &cargo);

	if (err)
		return err;
	cargo.route = route;
	do {
		ssize_t n = send_packet((const char *)packet->bytes + done, entry->length - done, entry->creds, &cargo);

		if (n < 0)
			return fail_errno("cannot queue %zu bytes and %zu descriptors again", entry->length - done,
					  cargo.n_rights);
		done += n;
		cargo.n_rights = 0;
	} while (stream && done < entry->length);
	return 0;
}

/* Whoever sends needs room for all of it; its own limits come last (sock_opts_restore()). */
static int make_room(int fd)
{
	const int bytes = INT_MAX / 2;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)))
		return fail_errno("SO_SNDBUFFORCE");
	return 0;
}

int unix_fill_queues(struct files_restore *ctx)
{
	const struct unix_restore *state = ctx->state->unixes;

	for (size_t i = 0; i < ctx->model->sk_packets.n; i++) {
		const struct sk_packet_image *packet = &ctx->model->sk_packets.data[i];
		const struct unix_node *node = hash_get(&state->by_id, packet->entry->id_for, 0);
		struct unix_route route;
		int err;
		LOG_SCOPE("file", packet->entry->id_for);

		/* A datagram at a UDP socket (udp-queue.c). */
		if (packet->entry->inet)
			continue;
		if (node && node->given_fd >= 0)
			return fail(EINVAL, "messages are queued at a socket that is given with --inherit-fd");
		err = node ? unix_senders_route(state, packet->entry, node, &route)
			   : fail(EINVAL, "messages are queued at a socket that is not there");

		if (err)
			return err;
		err = make_room(route.fd);
		err = err ?: fill(ctx, packet, &route, node->entry->type == SOCK_STREAM);
		unix_route_free(&route);
		if (err)
			return err;
	}
	return 0;
}
