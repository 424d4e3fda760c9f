/*
 * What is queued at a unix socket: read without taking it out, and sent again.
 *
 * MSG_PEEK shows the first message; with SO_PEEK_OFF, the ones behind it
 * (unix-peek.c). Of a stream one look usually shows all, and the option is left alone. A
 * read of a stream ends where the sender changes, if the receiver asked for
 * credentials; each such stretch is kept as a message of its own.
 *
 * The kernel hides an empty record, unless it is the first, from whoever peeks a second
 * time: of several dumps of one job (--leave-running) only the first sees it.
 */
#include <inttypes.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "files/sock-opts.h"
#include "files/unix-sk.h"

/* Most descriptors one message can carry: SCM_MAX_FD of the kernel. */
#define RIGHTS_MAX 253

union control {
	char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MAX * sizeof(int)) + CMSG_SPACE(256)];
	struct cmsghdr align;
};

/* --- plan ------------------------------------------------------------------- */

void unix_queue_refuse(struct files_dump *ctx, const struct file_desc *desc)
{
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN | POLLPRI };
	const bool stream = sock_option(desc->fd, SO_TYPE) == SOCK_STREAM;
	uint64_t n_rights;

	if (fdinfo_number(desc->info.text, "scm_fds", 10, &n_rights) && n_rights)
		refuse(ctx->refusals,
		       "%s: %" PRIu64 " descriptors on their way (SCM_RIGHTS) are queued at it: not supported by this "
		       "version; have them received before the dump",
		       desc->link, n_rights);
	if (poll(&socket, 1, 0) < 0)
		return;
	if (socket.revents & POLLPRI)
		refuse(ctx->refusals,
		       "%s: an out-of-band byte is queued at it: not supported; have it received before the dump",
		       desc->link);
	/* Looking into the queue of the other types would report the error to us. */
	if ((socket.revents & POLLERR) && !stream)
		refuse(ctx->refusals,
		       "%s: an error is pending, its other end was closed with messages unread: not supported; have it "
		       "received before the dump",
		       desc->link);
}

/* --- dump ------------------------------------------------------------------ */

struct peeked {
	ssize_t bytes;
	bool has_creds;
	struct ucred creds;
};

static void close_rights(struct cmsghdr *cmsg)
{
	const size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fd;

	for (size_t i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		close(fd);
	}
}

static int read_control(struct msghdr *msg, struct peeked *ret)
{
	bool rights = false;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS && cmsg->cmsg_len >= CMSG_LEN(sizeof(ret->creds))) {
			ret->has_creds = true;
			memcpy(&ret->creds, CMSG_DATA(cmsg), sizeof(ret->creds));
		}
		if (cmsg->cmsg_type == SCM_RIGHTS) {
			rights = true;
			close_rights(cmsg);
		}
	}
	return rights ? fail(ENOTSUP, "descriptors are on their way in a message: not supported by this version") : 0;
}

/* Return: 0; 1: there is nothing more; logged -errno. */
static int peek(int fd, void *buf, size_t bytes, int flags, struct peeked *ret)
{
	union control control;
	struct iovec iov = { .iov_base = buf, .iov_len = bytes };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	ret->has_creds = false;
	ret->bytes = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
	if (ret->bytes < 0)
		return errno == EAGAIN ? 1 : fail_errno("cannot look into the queue of a socket");
	return read_control(&msg, ret);
}

struct reading {
	struct files_dump *ctx;
	const struct file_desc *desc;
	uint32_t queued_bytes; /* SIOCINQ: of a stream, all of it */
};

static void add_packet(const struct reading *reading, const void *bytes, const struct peeked *peeked)
{
	struct model *model = reading->ctx->model;
	struct sk_packet_image *packet = VEC_ADD(&model->sk_packets);

	packet->entry = model_new(model, SkPacketEntry, sk_packet_entry__init);
	packet->entry->id_for = reading->desc->entry->id;
	packet->entry->length = peeked->bytes;
	packet->bytes = arena_memdup(model->arena, bytes, peeked->bytes);
	if (!peeked->has_creds)
		return;
	packet->entry->creds = model_new(model, UnixCredsEntry, unix_creds_entry__init);
	packet->entry->creds->pid = peeked->creds.pid;
	packet->entry->creds->uid = peeked->creds.uid;
	packet->entry->creds->gid = peeked->creds.gid;
}

/* Never asks for more than there is: that would take the error of a closed end. */
static int read_stretches(const struct reading *reading, char *buf)
{
	uint32_t done = 0;

	while (done < reading->queued_bytes) {
		struct peeked peeked;
		int err = peek(reading->desc->fd, buf, reading->queued_bytes - done, 0, &peeked);

		if (err < 0)
			return err;
		if (err || !peeked.bytes)
			return fail(EIO, "only %" PRIu32 " of %" PRIu32 " queued bytes can be seen", done,
				    reading->queued_bytes);
		add_packet(reading, buf, &peeked);
		done += peeked.bytes;
	}
	return 0;
}

/* An empty one that was seen is not seen again: look at the length first. */
static int read_record(const struct reading *reading, struct peeked *ret)
{
	struct peeked length;
	auto_free void *buf = NULL;
	int err = peek(reading->desc->fd, NULL, 0, MSG_TRUNC, &length);

	*ret = length;
	if (err || !length.bytes)
		return err;
	buf = xalloc(length.bytes);
	err = peek(reading->desc->fd, buf, length.bytes, 0, ret);
	if (!err && ret->bytes != length.bytes)
		err = fail(EIO, "a record of %zd bytes shows %zd", length.bytes, ret->bytes);
	if (!err)
		add_packet(reading, buf, ret);
	return err;
}

/* At the end of a shut down SOCK_SEQPACKET socket there are empty records without end. */
static int read_records(const struct reading *reading)
{
	const UnixSkEntry *entry = reading->desc->entry->usk;
	const bool endless = entry->type == SOCK_SEQPACKET && (entry->shutdown & UNIX_SHUT_RD);
	uint64_t done = 0;

	for (;;) {
		struct peeked peeked;
		int err;

		if (endless && done >= reading->queued_bytes)
			return 0;
		err = read_record(reading, &peeked);
		if (err)
			return err < 0 ? err : 0;
		if (!peeked.bytes)
			add_packet(reading, "", &peeked);
		done += peeked.bytes;
	}
}

static int read_queue(const struct reading *reading)
{
	struct unix_dump *state = unix_dump_state(reading->ctx);
	const bool stream = reading->desc->entry->usk->type == SOCK_STREAM;
	const int fd = reading->desc->fd, offset = sock_option(fd, SO_PEEK_OFF);
	auto_free char *buf = stream ? xalloc(reading->queued_bytes) : NULL;
	struct peeked peeked;
	int err, end_err;

	if (stream && offset < 0) {
		err = peek(fd, buf, reading->queued_bytes, 0, &peeked);
		if (!err && peeked.bytes == (ssize_t)reading->queued_bytes) {
			add_packet(reading, buf, &peeked);
			return 0;
		}
		if (err < 0)
			return err;
	}
	err = peek_begin(&state->guard, fd, offset);
	if (!err)
		err = stream ? read_stretches(reading, buf) : read_records(reading);
	end_err = peek_end(state->guard, fd, offset);
	return err ? err : end_err;
}

static bool is_readable(int fd)
{
	struct pollfd socket = { .fd = fd, .events = POLLIN };

	return poll(&socket, 1, 0) == 1 && (socket.revents & POLLIN);
}

int unix_queue_dump(struct files_dump *ctx, const struct file_desc *desc)
{
	struct reading reading = { .ctx = ctx, .desc = desc };
	int queued;

	if (ioctl(desc->fd, SIOCINQ, &queued))
		return fail_errno("%s: cannot tell how much is queued: SIOCINQ", desc->link);
	reading.queued_bytes = queued;
	/* Of the other types nothing but empty records may be queued. */
	if (!queued && (desc->entry->usk->type == SOCK_STREAM || !is_readable(desc->fd)))
		return 0;
	return read_queue(&reading);
}

/* --- restore ---------------------------------------------------------------- */

int unix_queues_validate(const struct model *model)
{
	for (size_t i = 0; i < model->sk_packets.n; i++) {
		const SkPacketEntry *packet = model->sk_packets.data[i].entry;
		const FileEntry *file = model_file(model, packet->id_for);

		if (packet->n_scm)
			return fail(ENOTSUP,
				    "unix socket %" PRIu32 ": descriptors on their way in a message: not supported",
				    packet->id_for);
		if (file && file->usk && file->usk->state == UNIX_LISTEN)
			return fail(EINVAL, "unix socket %" PRIu32 ": a message at a listening socket", packet->id_for);
	}
	return 0;
}

static ssize_t send_as(int fd, const void *bytes, size_t n, const struct ucred *creds)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (creds) {
		struct cmsghdr *cmsg;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(*creds));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_CREDENTIALS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(*creds));
		memcpy(CMSG_DATA(cmsg), creds, sizeof(*creds));
	}
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static ssize_t send_packet(int fd, const void *bytes, size_t n, const UnixCredsEntry *from)
{
	struct ucred creds;
	ssize_t sent;

	if (!from)
		return send_as(fd, bytes, n, NULL);
	creds = (struct ucred){ .pid = from->pid, .uid = from->uid, .gid = from->gid };
	sent = creds.pid ? send_as(fd, bytes, n, &creds) : -1;
	if (sent >= 0 || (creds.pid && errno != ESRCH))
		return sent;
	pr_warn("the sender of a queued message, process %u, is gone: its credentials show criu's number", from->pid);
	creds.pid = getpid();
	return send_as(fd, bytes, n, &creds);
}

static int fill(const struct sk_packet_image *packet, int fd, bool stream)
{
	const SkPacketEntry *entry = packet->entry;
	size_t done = 0;

	do {
		ssize_t n = send_packet(fd, (const char *)packet->bytes + done, entry->length - done, entry->creds);

		if (n < 0)
			return fail_errno("cannot queue %zu bytes again", entry->length - done);
		done += n;
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
		LOG_SCOPE("file", packet->entry->id_for);
		int fd = !node ? -1 : node->peer ? node->peer->fd : node->spare_fd;
		int err;

		if (fd < 0)
			return fail(EINVAL, "messages are queued at a socket that nobody can send to");
		err = make_room(fd);
		err = err ?: fill(packet, fd, node->entry->type == SOCK_STREAM);
		if (err)
			return err;
	}
	return 0;
}
