/*
 * What is queued at a unix socket, read without taking it out; unix-queue-restore.c sends it again.
 *
 * MSG_PEEK shows the first message; with SO_PEEK_OFF, the ones behind it
 * (unix-peek.c). Of a stream one look usually shows all, and the option is left alone. A
 * read of a stream ends where the sender changes, if the receiver asked for
 * credentials; each such stretch is kept as a message of its own.
 *
 * Descriptors on their way (SCM_RIGHTS) come with a look as they would with a read.
 * They are collected like those of a table, in the plan: whose queue has any is read then, and whose senders
 * matter (unix-senders.c), the others when the plan was accepted. What fdinfo counts (scm_fds) must have been seen.
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

/* --- plan ------------------------------------------------------------------- */

static uint64_t count_rights(const struct file_desc *desc)
{
	uint64_t n;

	return fdinfo_number(desc->info.text, "scm_fds", 10, &n) ? n : 0;
}

void unix_queue_refuse(struct files_dump *ctx, const struct file_desc *desc)
{
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN | POLLPRI };
	const bool stream = sock_option(desc->fd, SO_TYPE) == SOCK_STREAM;

	if (desc->entry->usk->state == UNIX_LISTEN && count_rights(desc))
		refuse_passing(ctx->refusals,
			       "%s: %" PRIu64
			       " descriptors (SCM_RIGHTS) were sent on connections that are not accepted yet: they "
			       "can't be seen; have the connections accepted before the dump",
			       desc->link, count_rights(desc));
	if (poll(&socket, 1, 0) < 0)
		return;
	if (socket.revents & POLLPRI)
		refuse_passing(ctx->refusals,
			       "%s: an out-of-band byte is queued at it: not supported; have it received before the "
			       "dump",
			       desc->link);
	/* Looking into the queue of the other types would report the error to us. */
	if ((socket.revents & POLLERR) && !stream)
		refuse_passing(ctx->refusals,
			       "%s: an error is pending, its other end was closed with messages unread: not supported; "
			       "have it received before the dump",
			       desc->link);
}

/* --- dump ------------------------------------------------------------------ */

struct reading {
	struct files_dump *ctx;
	const struct file_desc *desc;
	uint32_t queued_bytes; /* SIOCINQ: of a stream, all of it */
	uint64_t n_rights;     /* seen so far */
};

static int collect_rights(struct reading *reading, struct peeked *peeked, uint32_t *ids)
{
	for (size_t i = 0; i < peeked->n_rights; i++) {
		FileEntry *entry = NULL;
		LOG_SCOPE("descriptor on its way", i);
		int err = files_collect_in_flight(reading->ctx, reading->desc, take_fd(&peeked->rights[i]), &entry);

		if (err)
			return err;
		/* What has no entry was refused for itself. */
		ids[i] = entry ? entry->id : 0;
	}
	reading->n_rights += peeked->n_rights;
	return 0;
}

static int add_rights(struct reading *reading, struct peeked *peeked, SkPacketEntry *packet)
{
	struct model *model = reading->ctx->model;
	ScmEntry *scm;

	if (!peeked->n_rights)
		return 0;
	scm = model_new(model, ScmEntry, scm_entry__init);
	scm->type = SCM_RIGHTS;
	scm->n_rights = peeked->n_rights;
	scm->rights = arena_array(model->arena, uint32_t, peeked->n_rights);
	packet->n_scm = 1;
	packet->scm = arena_array(model->arena, ScmEntry *, 1);
	packet->scm[0] = scm;
	return collect_rights(reading, peeked, scm->rights);
}

static int add_packet(struct reading *reading, const void *bytes, struct peeked *peeked)
{
	struct model *model = reading->ctx->model;
	struct sk_packet_image *packet = VEC_ADD(&model->sk_packets);

	packet->entry = model_new(model, SkPacketEntry, sk_packet_entry__init);
	packet->entry->id_for = reading->desc->entry->id;
	packet->entry->length = peeked->bytes;
	packet->bytes = arena_memdup(model->arena, bytes, peeked->bytes);
	if (peeked->sender_bytes && unix_senders_matter(reading->desc)) {
		packet->entry->has_sender = true;
		packet->entry->sender.len = peeked->sender_bytes;
		packet->entry->sender.data = arena_memdup(model->arena, peeked->sender, peeked->sender_bytes);
	}
	if (peeked->has_creds) {
		packet->entry->creds = model_new(model, UnixCredsEntry, unix_creds_entry__init);
		packet->entry->creds->pid = peeked->creds.pid;
		packet->entry->creds->uid = peeked->creds.uid;
		packet->entry->creds->gid = peeked->creds.gid;
	}
	/* The model may grow meanwhile. */
	return add_rights(reading, peeked, packet->entry);
}

/*
 * A look at a stream ends behind a message with descriptors, but does not tell where that begins; whoever receives without
 * room for descriptors would lose them there. The kernel copies message by message: the last one does not fit if
 * its last byte has no place, and what is copied ends before it.
 */
static int find_rights(const struct reading *reading, uint32_t done, char *buf, size_t bytes, size_t *ret_before)
{
	const int fd = reading->desc->fd;
	struct iovec iov[] = { { .iov_base = buf, .iov_len = bytes - 1 }, { .iov_base = NULL, .iov_len = 1 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	ssize_t before;
	int err = peek_at(fd, done);

	if (err)
		return err;
	before = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	if (before < 0 && errno != EFAULT)
		return fail_errno("cannot look into the queue of a socket");
	if (before >= (ssize_t)bytes)
		return fail(EIO, "cannot tell where a queued message with descriptors begins");
	*ret_before = before < 0 ? 0 : before;
	return peek_at(fd, done + bytes);
}

static int add_stretch(struct reading *reading, char *bytes, uint32_t done, struct peeked *peeked)
{
	struct peeked plain = { .has_creds = peeked->has_creds, .creds = peeked->creds };
	size_t before = 0;
	int err = peeked->n_rights ? find_rights(reading, done, bytes, peeked->bytes, &before) : 0;

	if (err)
		return err;
	plain.bytes = before;
	if (before)
		err = add_packet(reading, bytes, &plain);
	peeked->bytes -= before;
	return err ? err : add_packet(reading, bytes + before, peeked);
}

/* Never asks for more than there is: that would take the error of a closed end. */
static int read_stretches(struct reading *reading, char *buf)
{
	uint32_t done = 0;

	while (done < reading->queued_bytes) {
		struct peeked peeked;
		ssize_t bytes;
		int err = peek(reading->desc->fd, buf, reading->queued_bytes - done, 0, &peeked);

		if (err < 0)
			return err;
		if (err || !peeked.bytes)
			return fail(EIO, "only %" PRIu32 " of %" PRIu32 " queued bytes can be seen", done,
				    reading->queued_bytes);
		bytes = peeked.bytes;
		err = add_stretch(reading, buf, done, &peeked);
		peeked_free(&peeked);
		if (err)
			return err;
		done += bytes;
	}
	return 0;
}

/* An empty one that was seen is not seen again: look at the length first. */
static int read_record(struct reading *reading, ssize_t *ret_bytes)
{
	struct peeked peeked;
	auto_free void *buf = NULL;
	ssize_t length;
	int err = peek(reading->desc->fd, NULL, 0, MSG_TRUNC, &peeked);

	if (err)
		return err;
	length = peeked.bytes;
	if (length) {
		peeked_free(&peeked);
		buf = xalloc(length);
		err = peek(reading->desc->fd, buf, length, 0, &peeked);
		if (err)
			return err < 0 ? err : -EIO;
	}
	if (peeked.bytes != length)
		err = fail(EIO, "a record of %zd bytes shows %zd", length, peeked.bytes);
	*ret_bytes = length;
	err = err ?: add_packet(reading, buf ?: "", &peeked);
	peeked_free(&peeked);
	return err;
}

/* At the end of a shut down SOCK_SEQPACKET socket there are empty records without end. */
static int read_records(struct reading *reading)
{
	const UnixSkEntry *entry = reading->desc->entry->usk;
	const bool endless = entry->type == SOCK_SEQPACKET && (entry->shutdown & UNIX_SHUT_RD);
	uint64_t done = 0;

	for (;;) {
		ssize_t bytes;
		int err;

		if (endless && done >= reading->queued_bytes && reading->n_rights >= count_rights(reading->desc))
			return 0;
		err = read_record(reading, &bytes);
		if (err)
			return err < 0 ? err : 0;
		done += bytes;
	}
}

static int read_queue(struct reading *reading)
{
	struct files_dump_state *state = reading->ctx->state;
	const bool stream = reading->desc->entry->usk->type == SOCK_STREAM;
	const int fd = reading->desc->fd, offset = sock_option(fd, SO_PEEK_OFF);
	auto_free char *buf = stream ? xalloc(reading->queued_bytes) : NULL;
	struct peeked peeked;
	int err, end_err;

	if (stream && offset < 0) {
		bool all;

		err = peek(fd, buf, reading->queued_bytes, 0, &peeked);
		if (err < 0)
			return err;
		all = !err && peeked.bytes == (ssize_t)reading->queued_bytes && !peeked.n_rights;
		if (all)
			return add_packet(reading, buf, &peeked);
		if (!err)
			peeked_free(&peeked);
	}
	err = peek_begin(&state->peek_guard, fd, offset);
	if (err && !state->peek_guard)
		return err;
	if (!err)
		err = stream ? read_stretches(reading, buf) : read_records(reading);
	end_err = peek_end(state->peek_guard, fd, offset);
	return err ? err : end_err;
}

static bool is_readable(int fd)
{
	struct pollfd socket = { .fd = fd, .events = POLLIN };

	return poll(&socket, 1, 0) == 1 && (socket.revents & POLLIN);
}

static int start_reading(struct files_dump *ctx, const struct file_desc *desc, struct reading *ret)
{
	int queued;

	if (ioctl(desc->fd, SIOCINQ, &queued))
		return fail_errno("%s: cannot tell how much is queued: SIOCINQ", desc->link);
	*ret = (struct reading){ .ctx = ctx, .desc = desc, .queued_bytes = queued };
	return 0;
}

/* The first message, or of a stream all up to the first with descriptors: the task does not notice. */
static int glance(struct reading *reading)
{
	auto_free char *buf = xalloc(reading->queued_bytes + 1);
	struct peeked peeked;
	int err;

	/* An empty one would hide from the dump afterwards. */
	if (sock_option(reading->desc->fd, SO_PEEK_OFF) >= 0 || !reading->queued_bytes)
		return 0;
	err = peek(reading->desc->fd, buf, reading->queued_bytes, 0, &peeked);
	if (err)
		return err < 0 ? err : 0;
	err = add_packet(reading, buf, &peeked);
	peeked_free(&peeked);
	return err;
}

/* Empty messages hide from those who peek a second time. */
static void check_seen(const struct reading *reading)
{
	const uint64_t n_rights = count_rights(reading->desc);

	if (reading->n_rights == n_rights)
		return;
	if (reading->ctx->inodes->passive)
		pr_warn("%s: of %" PRIu64 " descriptors on their way (SCM_RIGHTS) only %" PRIu64 " can be seen while "
			"the tree runs",
			reading->desc->link, n_rights, reading->n_rights);
	else
		refuse_passing(reading->ctx->refusals,
			       "%s: of %" PRIu64 " descriptors on their way (SCM_RIGHTS) only %" PRIu64
			       " can be seen: have them received before the dump",
			       reading->desc->link, n_rights, reading->n_rights);
}

int unix_queue_collect(struct files_dump *ctx, const struct file_desc *desc)
{
	struct unix_seen *seen = hash_get(&unix_dump_state(ctx)->tree, desc->st.st_ino, 0);
	struct reading reading;
	int err;

	if (desc->entry->usk->state == UNIX_LISTEN || (!count_rights(desc) && !unix_senders_matter(desc)))
		return 0;
	err = start_reading(ctx, desc, &reading);
	if (!err)
		err = ctx->inodes->passive ? glance(&reading) : read_queue(&reading);
	if (err)
		return err;
	seen->queue_read = true;
	check_seen(&reading);
	return 0;
}

int unix_queue_dump(struct files_dump *ctx, const struct file_desc *desc)
{
	const struct unix_seen *seen = hash_get(&unix_dump_state(ctx)->tree, desc->st.st_ino, 0);
	struct reading reading;
	int err = start_reading(ctx, desc, &reading);

	if (err || seen->queue_read)
		return err;
	/* Of the other types nothing but empty records may be queued. */
	if (!reading.queued_bytes && (desc->entry->usk->type == SOCK_STREAM || !is_readable(desc->fd)))
		return 0;
	return read_queue(&reading);
}
