/*
 * packet(7) sockets.
 *
 * The kernel keeps: protocol and interface it listens to, options, memberships, the fanout
 * group, a ring that is shared with the task, packets that were not read. A duplicate shows
 * some of it, sock_diag the rest (kernel/sock-diag.h).
 *
 * Packets that were not read are lost, as packets are; a warning says so. Refused: rings, whose
 * frames and place in them belong to the kernel as much as to the task, and fanout
 * groups with a program, which nothing shows.
 *
 * A socket that listens is bound last: what a filter is to keep away must not arrive before it.
 * Lost: PACKET_STATISTICS; the order of sockets in a fanout group.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/packet_diag.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "files/sock-opts.h"
#include "kernel/sock-diag.h"

#ifndef PACKET_VNET_HDR_SZ
#define PACKET_VNET_HDR_SZ 24
#endif

#define NO_FANOUT	  0xffffffffU
#define MEMBERSHIPS_MAX	  65536
#define ADDR_MAX_BYTES	  32 /* MAX_ADDR_LEN, of packet_diag_mclist */
#define TYPE_PACKET	  10 /* SOCK_PACKET */
#define FANOUT_TYPE(word) ((word) >> 16 & 0xff)

/* Numbers and switches of level SOL_PACKET that are set as they are read. */
static const struct packet_option {
	const char *text;
	int name;
	bool is_bool;
	size_t has, value; /* has: 0 if the field is always there */
} options[] = {
#define REQUIRED(name, is_bool, field)                                                                                 \
	{                                                                                                              \
#name, name, is_bool, 0, offsetof(PacketSockEntry, field)                                              \
	}
#define OPTIONAL(name, is_bool, field)                                                                                 \
	{                                                                                                              \
#name, name, is_bool, offsetof(PacketSockEntry, has_##field), offsetof(PacketSockEntry, field)         \
	}
	/* The version first: how much can be reserved depends on it. */
	REQUIRED(PACKET_VERSION, false, version),
	REQUIRED(PACKET_RESERVE, false, reserve),
	REQUIRED(PACKET_AUXDATA, true, aux_data),
	REQUIRED(PACKET_ORIGDEV, true, orig_dev),
	REQUIRED(PACKET_VNET_HDR, true, vnet_hdr),
	REQUIRED(PACKET_LOSS, true, loss),
	REQUIRED(PACKET_TIMESTAMP, false, timestamp),
	REQUIRED(PACKET_COPY_THRESH, false, copy_thresh),
	OPTIONAL(PACKET_TX_HAS_OFF, true, tx_has_off),
	OPTIONAL(PACKET_QDISC_BYPASS, true, qdisc_bypass),
	OPTIONAL(PACKET_IGNORE_OUTGOING, true, ignore_outgoing),
	OPTIONAL(PACKET_VNET_HDR_SZ, false, vnet_hdr_sz),
};

static uint32_t get_field(const PacketSockEntry *entry, const struct packet_option *option)
{
	const char *at = (const char *)entry + option->value;

	if (option->has && !*(const protobuf_c_boolean *)((const char *)entry + option->has))
		return 0;
	return option->is_bool ? *(const protobuf_c_boolean *)at != 0 : *(const uint32_t *)at;
}

static void set_field(PacketSockEntry *entry, const struct packet_option *option, uint32_t value)
{
	char *at = (char *)entry + option->value;

	if (option->has)
		*(protobuf_c_boolean *)((char *)entry + option->has) = value != 0;
	if (option->is_bool)
		*(protobuf_c_boolean *)at = value != 0;
	else
		*(uint32_t *)at = value;
}

static int packet_option(int fd, int name, uint32_t *ret)
{
	socklen_t bytes = sizeof(*ret);

	return getsockopt(fd, SOL_PACKET, name, ret, &bytes);
}

/* --- dump ------------------------------------------------------------------------ */

static bool packet_match(const struct file_desc *desc)
{
	return S_ISSOCK(desc->st.st_mode) && sock_option(desc->fd, SO_DOMAIN) == AF_PACKET;
}

/* What the kernel tells, once for all of them. */
struct packet_dump {
	sock_diag_packet_list list;
};

static int find_diag(struct files_dump *ctx, const struct file_desc *desc, const struct sock_diag_packet **ret)
{
	struct files_dump_state *state = files_dump_state(ctx);

	if (!state->packets) {
		struct packet_dump *packets = arena_new_of(ctx->model->arena, struct packet_dump);
		int err = sock_diag_packet(&packets->list);

		if (err)
			return err;
		state->packets = packets;
	}
	*ret = NULL;
	for (size_t i = 0; i < state->packets->list.n; i++)
		if (state->packets->list.data[i].ino == desc->st.st_ino)
			*ret = &state->packets->list.data[i];
	return 0;
}

void packet_dump_free(struct files_dump_state *state)
{
	if (state->packets)
		sock_diag_packet_free(&state->packets->list);
}

/* Kernels before 6.13 show it nowhere else. */
static void dump_options(int fd, const struct sock_diag_packet *diag, PacketSockEntry *entry)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		uint32_t value = 0;

		if (!packet_option(fd, options[i].name, &value))
			set_field(entry, &options[i], value);
	}
	entry->copy_thresh = diag->copy_thresh;
}

static size_t count_memberships(const struct sock_diag_packet *diag)
{
	size_t n = 0;

	for (size_t i = 0; i < diag->n_memberships; i++)
		n += diag->memberships[i].pdmc_count;
	return n;
}

/* An entry for each time it was added. */
static void dump_memberships(struct files_dump *ctx, const struct sock_diag_packet *diag, PacketSockEntry *entry)
{
	entry->mclist = arena_array(ctx->model->arena, PacketMclist *, count_memberships(diag) + 1);
	for (size_t i = 0; i < diag->n_memberships; i++) {
		const struct packet_diag_mclist *member = &diag->memberships[i];

		for (uint32_t k = 0; k < member->pdmc_count; k++) {
			PacketMclist *to = model_new(ctx->model, PacketMclist, packet_mclist__init);

			to->index = member->pdmc_index;
			to->type = member->pdmc_type;
			to->addr.len = min_u64(member->pdmc_alen, ADDR_MAX_BYTES);
			to->addr.data = arena_memdup(ctx->model->arena, member->pdmc_addr, to->addr.len);
			entry->mclist[entry->n_mclist++] = to;
		}
	}
}

static int dump_fanout(struct files_dump *ctx, const struct file_desc *desc, PacketSockEntry *entry)
{
	uint32_t fanout;

	if (packet_option(desc->fd, PACKET_FANOUT, &fanout))
		return fail_errno("%s: PACKET_FANOUT", desc->link);
	if (!fanout)
		return 0;
	entry->has_fanout = true;
	entry->fanout = fanout;
	if (FANOUT_TYPE(fanout) == PACKET_FANOUT_CBPF || FANOUT_TYPE(fanout) == PACKET_FANOUT_EBPF)
		refuse(ctx->refusals,
		       "%s: packet socket in a fanout group that a program divides: not supported; close it before the "
		       "dump",
		       desc->link);
	return 0;
}

static void warn_of_unread(const struct file_desc *desc)
{
	/* Peeking would take an error that waits to be read. */
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN };

	if (poll(&socket, 1, 0) > 0 && (socket.revents & POLLIN))
		pr_warn("%s: packets that this packet socket has received and nobody has read will be lost",
			desc->link);
}

static int packet_plan(struct files_dump *ctx, struct file_desc *desc)
{
	PacketSockEntry *entry = model_new(ctx->model, PacketSockEntry, packet_sock_entry__init);
	const struct sock_diag_packet *diag;
	int type = sock_option(desc->fd, SO_TYPE), err = find_diag(ctx, desc, &diag);

	desc->entry->psk = entry;
	if (err)
		return err;
	if (!diag) {
		refuse(ctx->refusals, "%s: packet socket of another network namespace than criu's: run criu inside",
		       desc->link);
		return 0;
	}
	entry->id = desc->entry->id;
	entry->type = type;
	entry->protocol = diag->protocol;
	entry->ifindex = diag->ifindex;
	entry->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	dump_options(desc->fd, diag, entry);
	dump_memberships(ctx, diag, entry);
	if (diag->has_ring)
		refuse(ctx->refusals,
		       "%s: packet socket with a ring (PACKET_RX_RING or PACKET_TX_RING): not supported; "
		       "close it before the dump",
		       desc->link);
	warn_of_unread(desc);
	err = dump_fanout(ctx, desc, entry);
	err = err ?: sock_opts_dump(ctx, desc, &entry->opts);
	return err ?: fown_dump(ctx, desc, &entry->fown);
}

/* --- restore --------------------------------------------------------------------- */

static int packet_validate(const struct model *model, const FileEntry *file)
{
	const PacketSockEntry *entry = file->psk;

	if (!entry || entry->id != file->id || !entry->opts)
		return fail(EINVAL, "packet socket without its entry");
	if (entry->type != SOCK_RAW && entry->type != SOCK_DGRAM && entry->type != TYPE_PACKET)
		return fail(EINVAL, "packet socket of type %" PRIu32, entry->type);
	if (entry->protocol > UINT16_MAX || entry->n_mclist > MEMBERSHIPS_MAX)
		return fail(EINVAL, "packet socket: protocol %" PRIu32 ", %zu memberships", entry->protocol,
			    entry->n_mclist);
	for (size_t i = 0; i < entry->n_mclist; i++)
		if (entry->mclist[i]->type > UINT16_MAX || entry->mclist[i]->addr.len > ADDR_MAX_BYTES)
			return fail(EINVAL, "packet socket: membership %zu", i);
	if (entry->rx_ring || entry->tx_ring)
		return fail(ENOTSUP, "packet socket with a ring: not supported by this version");
	return sock_opts_validate(entry->opts);
}

static int set_options(const PacketSockEntry *entry, int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const struct packet_option *option = &options[i];
		uint32_t value = get_field(entry, option), now = 0;

		if (packet_option(fd, option->name, &now) && !value)
			continue;
		if (now != value && setsockopt(fd, SOL_PACKET, option->name, &value, sizeof(value)))
			return fail_errno("cannot set option %s of a packet socket to %" PRIu32, option->text, value);
	}
	return 0;
}

/* The kernel takes addresses of any length behind the same first fields, packet(7). */
static int join(const PacketSockEntry *entry, int fd)
{
	for (size_t i = 0; i < entry->n_mclist; i++) {
		const PacketMclist *from = entry->mclist[i];
		struct {
			int index;
			unsigned short type, bytes;
			unsigned char addr[ADDR_MAX_BYTES];
		} member = { (int)from->index, (unsigned short)from->type, (unsigned short)from->addr.len, { 0 } };

		memcpy(member.addr, from->addr.data, from->addr.len);
		if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &member, sizeof(member)))
			return fail_errno("packet socket: cannot join interface %" PRIu32, from->index);
	}
	return 0;
}

static int bind_to(const PacketSockEntry *entry, int fd)
{
	const struct sockaddr_ll name = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(entry->protocol),
		.sll_ifindex = (int)entry->ifindex,
	};
	const uint32_t fanout = entry->fanout;

	if ((entry->protocol || entry->ifindex) && bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		return fail_errno("packet socket: cannot bind to interface %" PRIu32 " for protocol %#" PRIx32,
				  entry->ifindex, entry->protocol);
	if (entry->has_fanout && fanout != NO_FANOUT &&
	    setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &fanout, sizeof(fanout)))
		return fail_errno("packet socket: cannot join fanout group %#" PRIx32, fanout);
	return 0;
}

static int packet_make(struct files_restore *ctx, const FileEntry *file, struct made_file *ret)
{
	const PacketSockEntry *entry = file->psk;
	auto_fd int fd = socket(AF_PACKET, (int)entry->type | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return fail_errno("cannot make a packet socket of type %" PRIu32, entry->type);
	err = set_options(entry, fd);
	err = err ?: sock_opts_restore(entry->opts, fd);
	err = err ?: join(entry, fd);
	err = err ?: bind_to(entry, fd);
	if (err)
		return err;
	if (fcntl(fd, F_SETFL, entry->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("packet socket: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

const struct file_kind packet_kind = {
	.type = FD_TYPES__PACKETSK,
	.name = "packet socket",
	.match = packet_match,
	.plan = packet_plan,
	.validate = packet_validate,
	.make = packet_make,
};
