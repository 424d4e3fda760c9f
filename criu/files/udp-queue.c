/*
 * Datagrams that wait to be received at a UDP socket.
 *
 * The kernel keeps, of each: its bytes, the address and port it came from, and of its IP header what recvmsg(2) shows to
 * those who have asked: destination, TTL, TOS; when and through which device it came. MSG_PEEK shows the first;
 * with SO_PEEK_OFF, those behind it (unix-peek.c).
 *
 * Restore sends them again, over the loopback and in the name of the sender (udp-send.c). They must reach this socket and
 * no other, whoever shares its port, is connected or in a multicast group. So they come before it has its
 * address: the socket is new, with a port that the kernel has chosen, and a filter which lets nothing in but
 * what carries our mark. One after the other: the next is sent when the memory that the queue takes has grown. Then
 * connect(2) with AF_UNSPEC takes that port away again; the queue stays. All of that before any other socket of the tree
 * is made, so that no raw socket there receives copies.
 *
 * Lost: when a datagram came, and IP options; the device, and the destination if it was not an address of ours or not
 * asked for; an error that a datagram of the other side has caused (ICMP), and the queue of errors (MSG_ERRQUEUE).
 * The kernel hides an empty datagram, unless it is the first, from whoever peeks a second time:
 * of several dumps of one job (--leave-running) only the first sees it. What arrives between dump and restore finds
 * nobody, as at a machine that is away.
 */
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "files/inet-dump.h"
#include "files/sock-opts.h"
#include "files/udp.h"
#include "files/unix-sk.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* How long a datagram to ourselves may take on a busy machine; the next one after one that did not come. */
#define WAIT_MS	      5000
#define WAIT_AGAIN_MS 100

/* --- dump ------------------------------------------------------------------ */

static bool is_udp(const InetSkEntry *entry)
{
	return entry->type == SOCK_DGRAM && entry->proto == IPPROTO_UDP;
}

static short events_of(int fd)
{
	struct pollfd socket = { .fd = fd, .events = POLLIN };

	return poll(&socket, 1, 0) == 1 ? socket.revents : 0;
}

void udp_queue_plan(const struct file_desc *desc)
{
	if (events_of(desc->fd) & POLLERR)
		pr_warn("%s: an error that was reported to a UDP socket and not read (ICMP, MSG_ERRQUEUE) is lost",
			desc->link);
}

struct reading {
	struct files_dump *ctx;
	const struct file_desc *desc;
	char *buf; /* UINT16_MAX bytes */
};

static void set_number(const struct cmsghdr *cmsg, protobuf_c_boolean *ret_has, uint32_t *ret)
{
	int value = 0;

	/* A TOS comes as a byte, everything else as a number. */
	if (cmsg->cmsg_len >= CMSG_LEN(sizeof(value)))
		memcpy(&value, CMSG_DATA(cmsg), sizeof(value));
	else if (cmsg->cmsg_len > CMSG_LEN(0))
		value = *CMSG_DATA(cmsg);
	*ret_has = true;
	*ret = value & 0xff;
}

static void set_destination(struct model *model, const void *addr, size_t bytes, InetPacketEntry *ret)
{
	ret->dst_addr = arena_memdup(model->arena, addr, bytes);
	ret->n_dst_addr = bytes / sizeof(*ret->dst_addr);
}

/* What the socket has asked for. Returns the length of the parts that the kernel has put together (UDP_GRO), or 0. */
static int read_control(struct model *model, struct msghdr *msg, InetPacketEntry *ret)
{
	int part_bytes = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		const uint64_t kind = (uint64_t)cmsg->cmsg_level << 32 | (uint32_t)cmsg->cmsg_type;
		const struct in_pktinfo *to4 = (const void *)CMSG_DATA(cmsg);
		const struct in6_pktinfo *to6 = (const void *)CMSG_DATA(cmsg);

		switch (kind) {
		case (uint64_t)SOL_IP << 32 | IP_PKTINFO:
			set_destination(model, &to4->ipi_addr, sizeof(to4->ipi_addr), ret);
			break;
		case (uint64_t)SOL_IPV6 << 32 | IPV6_PKTINFO:
			set_destination(model, &to6->ipi6_addr, sizeof(to6->ipi6_addr), ret);
			break;
		case (uint64_t)SOL_IP << 32 | IP_TTL:
		case (uint64_t)SOL_IPV6 << 32 | IPV6_HOPLIMIT:
			set_number(cmsg, &ret->has_ttl, &ret->ttl);
			break;
		case (uint64_t)SOL_IP << 32 | IP_TOS:
		case (uint64_t)SOL_IPV6 << 32 | IPV6_TCLASS:
			set_number(cmsg, &ret->has_tos, &ret->tos);
			break;
		case (uint64_t)SOL_UDP << 32 | UDP_GRO:
			memcpy(&part_bytes, CMSG_DATA(cmsg), sizeof(part_bytes));
			break;
		}
	}
	return part_bytes;
}

static void set_source(struct model *model, const union inet_addr *from, InetPacketEntry *ret)
{
	char name[IFNAMSIZ];

	ret->src_port = inet_addr_port(from);
	ret->n_src_addr = inet_addr_words(model->arena, from, &ret->src_addr);
	if (from->sa.sa_family == AF_INET6 && from->v6.sin6_scope_id && if_indextoname(from->v6.sin6_scope_id, name))
		ret->ifname = arena_strdup(model->arena, name);
}

static void add_packet(const struct reading *reading, const char *bytes, size_t n, InetPacketEntry *inet)
{
	struct model *model = reading->ctx->model;
	struct sk_packet_image *packet = VEC_ADD(&model->sk_packets);

	packet->entry = model_new(model, SkPacketEntry, sk_packet_entry__init);
	packet->entry->id_for = reading->desc->entry->id;
	packet->entry->length = n;
	packet->entry->inet = inet;
	packet->bytes = arena_memdup(model->arena, bytes, n);
}

/* Return: 0; 1: there is nothing more; logged -errno. */
static int read_next(const struct reading *reading, ssize_t *ret_bytes)
{
	struct model *model = reading->ctx->model;
	InetPacketEntry *inet = model_new(model, InetPacketEntry, inet_packet_entry__init);
	union {
		char bytes[1024];
		struct cmsghdr align;
	} control;
	union inet_addr from = { .sa.sa_family = reading->desc->entry->isk->family };
	struct iovec iov = { .iov_base = reading->buf, .iov_len = UINT16_MAX };
	struct msghdr msg = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(reading->desc->fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	size_t part, done = 0;

	/* An error that was pending comes once, before anything else (udp_queue_plan()). */
	if (n < 0 && errno != EAGAIN)
		n = recvmsg(reading->desc->fd, &msg, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN ? 1 : fail_errno("%s: cannot look into the queue", reading->desc->link);
	if (msg.msg_flags & MSG_TRUNC)
		return fail(EMSGSIZE, "%s: a datagram of more than %zd bytes waits", reading->desc->link, n);
	set_source(model, &from, inet);
	part = read_control(model, &msg, inet);
	*ret_bytes = n;
	if (!part)
		part = UINT16_MAX;
	do {
		add_packet(reading, reading->buf + done, min_u64(part, n - done), inet);
		done += part;
	} while (done < (size_t)n);
	return 0;
}

/* The first by itself: if it is empty and was looked at before, the others hide it. */
static int read_first(const struct reading *reading)
{
	struct model *model = reading->ctx->model;
	const size_t before = model->sk_packets.n;
	ssize_t bytes = 0;
	int err = peek_at(reading->desc->fd, -1);

	err = err ?: read_next(reading, &bytes);
	if (err < 0)
		return err;
	/* Any other is seen once more. */
	if (!err && bytes)
		model->sk_packets.n = before;
	return peek_at(reading->desc->fd, 0);
}

static int read_all(const struct reading *reading)
{
	ssize_t bytes;
	int err = read_first(reading);

	while (!err)
		err = read_next(reading, &bytes);
	return err < 0 ? err : 0;
}

int udp_queue_dump(struct files_dump *ctx, const struct file_desc *desc)
{
	struct files_dump_state *state = ctx->state;
	auto_free char *buf = NULL;
	struct reading reading = { .ctx = ctx, .desc = desc };
	int err, end_err, offset;

	if (!is_udp(desc->entry->isk) || !(events_of(desc->fd) & POLLIN))
		return 0;
	reading.buf = buf = xalloc(UINT16_MAX);
	offset = sock_option(desc->fd, SO_PEEK_OFF);
	err = peek_begin(&state->peek_guard, desc->fd, offset);
	if (err && !state->peek_guard)
		return err;
	err = err ?: read_all(&reading);
	end_err = peek_end(state->peek_guard, desc->fd, offset);
	return err ? err : end_err;
}

/* --- checking ----------------------------------------------------------------- */

int udp_queue_validate(const SkPacketEntry *packet, const FileEntry *file)
{
	const InetPacketEntry *inet = packet->inet;
	const size_t n_words = file->isk->family == AF_INET ? 1 : 4;

	if (!is_udp(file->isk) || !inet || packet->n_scm || packet->has_sender || packet->creds)
		return fail(EINVAL, "internet socket %" PRIu32 ": a message that is no datagram", packet->id_for);
	if (packet->length > UDP_BYTES_MAX || inet->src_port > UINT16_MAX)
		return fail(EINVAL, "internet socket %" PRIu32 ": a datagram of %" PRIu32 " bytes from port %" PRIu32,
			    packet->id_for, packet->length, inet->src_port);
	if (inet->n_src_addr != n_words || (inet->n_dst_addr && inet->n_dst_addr != 1 && inet->n_dst_addr != n_words))
		return fail(EINVAL, "internet socket %" PRIu32 ": a datagram with addresses of %zu and %zu words",
			    packet->id_for, inet->n_src_addr, inet->n_dst_addr);
	if ((inet->has_ttl && inet->ttl > UINT8_MAX) || (inet->has_tos && inet->tos > UINT8_MAX) ||
	    (inet->ifname && strlen(inet->ifname) >= IFNAMSIZ))
		return fail(EINVAL,
			    "internet socket %" PRIu32 ": a datagram with TTL %" PRIu32 ", TOS %" PRIu32
			    ", or a bad device",
			    packet->id_for, inet->ttl, inet->tos);
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

struct filling {
	struct inet_node *node;
	struct udp_sender *sender;
	union inet_addr bound;
	uint16_t port; /* until it is bound */
	int *wait_ms;
};

static void warn_lost(const struct filling *filling, const struct sk_packet_image *packet, const char *why, int err)
{
	char from_text[INET_ADDR_TEXT], to_text[INET_ADDR_TEXT];
	union inet_addr from;

	/* The device of a sender is not needed to name it. */
	if (udp_source(packet->entry->inet, &from))
		pr_debug("the device of the sender is not there");
	pr_warn("UDP socket %s: a datagram of %" PRIu32 " bytes from %s can't be put back and is lost: %s: %s",
		inet_addr_text(&filling->bound, to_text), packet->entry->length, inet_addr_text(&from, from_text), why,
		strerror(-err));
}

/* The memory that the queue takes. */
static int queue_memory(int fd, uint32_t *ret)
{
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t bytes = sizeof(memory);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &bytes))
		return -errno;
	*ret = memory[SK_MEMINFO_RMEM_ALLOC];
	return 0;
}

static int wait_for_more(const struct filling *filling, uint32_t before)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i <= *filling->wait_ms; i++) {
		uint32_t now = before;
		int err = queue_memory(filling->node->fd, &now);

		if (err || now != before)
			return err;
		nanosleep(&pause, NULL);
	}
	*filling->wait_ms = WAIT_AGAIN_MS;
	return -ETIMEDOUT;
}

static void put_back(const struct filling *filling, const struct sk_packet_image *packet)
{
	const char *why = "it does not arrive, a packet filter may drop it";
	uint32_t before = 0;
	int err = queue_memory(filling->node->fd, &before);

	err = err ?: udp_send(filling->sender, packet, &filling->bound, filling->port, &why);
	err = err ?: wait_for_more(filling, before);
	if (err)
		warn_lost(filling, packet, why, err);
}

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* Nothing but what carries our mark. */
static int close_door(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_MARK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFT_PASS_MARK, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

/* Whoever asks for the destination later gets what is known of it. */
static int note_destinations(const struct inet_node *node, bool on)
{
	int err = set(node->fd, SOL_IP, IP_PKTINFO, on);

	if (!err && node->entry->family == AF_INET6)
		err = set(node->fd, SOL_IPV6, IPV6_RECVPKTINFO, on);
	return err;
}

/* The options are those of a new socket, and are set as they were later. */
static int open_port(const struct inet_node *node, uint16_t *ret_port)
{
	union inet_addr addr;
	socklen_t bytes = sizeof(addr);
	int err = close_door(node->fd);

	err = err ?: set(node->fd, SOL_SOCKET, SO_RCVBUFFORCE, INT_MAX / 2);
	err = err ?: note_destinations(node, true);
	if (!err && node->entry->family == AF_INET6)
		err = set(node->fd, SOL_IPV6, IPV6_V6ONLY, 0);
	if (err)
		return err;
	/* It gets a port before it is found out that nobody is to be sent to. */
	if (send(node->fd, "", 0, MSG_NOSIGNAL) >= 0 || errno != EDESTADDRREQ)
		return -EADDRNOTAVAIL;
	if (getsockname(node->fd, &addr.sa, &bytes))
		return -errno;
	*ret_port = inet_addr_port(&addr);
	return *ret_port ? 0 : -EADDRNOTAVAIL;
}

static int take_port_away(const struct inet_node *node)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	int err = connect(node->fd, &nobody, sizeof(nobody)) ? -errno : 0;

	err = err ?: note_destinations(node, false);
	err = err ?: set(node->fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
	return err ? fail(-err, "cannot take a UDP socket back from the port at which it got its datagrams") : 0;
}

static int fill(struct filling *filling)
{
	struct inet_node *node = filling->node;
	int err, bytes = inet_addr_src(node->entry, &filling->bound);

	if (bytes < 0)
		return bytes;
	node->fd = inet_new_socket(node->entry);
	if (node->fd < 0)
		return node->fd;
	err = open_port(node, &filling->port);
	for (size_t i = 0; i < node->queue.n; i++)
		if (err)
			warn_lost(filling, node->queue.data[i], "the socket can't be prepared", err);
		else
			put_back(filling, node->queue.data[i]);
	if (!err)
		return take_port_away(node);
	/* Nobody has seen it: another one is made. */
	close_fdp(&node->fd);
	return 0;
}

int udp_fill_all(struct files_restore *ctx)
{
	struct inet_restore *state = ctx->state->inets;
	cleanup_with(udp_sender_free) struct udp_sender sender = UDP_SENDER_INIT;
	int err = 0, wait_ms = WAIT_MS;

	for (size_t i = 0; i < ctx->model->sk_packets.n; i++) {
		const struct sk_packet_image *packet = &ctx->model->sk_packets.data[i];
		const intptr_t index = (intptr_t)hash_get(&state->by_id, packet->entry->id_for, 0);

		if (index)
			VEC_PUSH(&state->nodes.data[index - 1].queue, packet);
	}
	for (size_t i = 0; i < state->nodes.n && !err; i++) {
		struct filling filling = { .node = &state->nodes.data[i], .sender = &sender, .wait_ms = &wait_ms };
		LOG_SCOPE("file", filling.node->entry->id);

		if (filling.node->queue.n)
			err = fill(&filling);
	}
	return err;
}
