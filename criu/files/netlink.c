/*
 * netlink(7) sockets.
 *
 * The kernel keeps: protocol, type, port, groups, whom it is connected to, options, what is
 * queued. All but the queue is read from our duplicate. Kernel parts that serve a socket by its
 * port keep more, each in its own way: packets that are handed to it for a verdict
 * (/proc/net/netfilter), and events of processes, which are refused.
 *
 * Refused as well: sockets with unread messages, for nobody but the kernel can say them again, or
 * with messages that were lost since the last look (ENOBUFS). What is sent to a group
 * while the tree is away is lost to it.
 *
 * Lost: that a socket was connected to port 0, and so hears nobody but the kernel; what families of
 * generic netlink remember of a socket, and that their numbers may be others
 * after a reboot.
 */
#include <inttypes.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "files/sock-opts.h"
#include "kernel/proc-scan.h"

/* States of a socket that is not connected, and of one that is. */
#define STATE_CLOSE	7
#define STATE_CONNECTED 1

#define GROUPS_MAX_WORDS 1024

/* Options of level SOL_NETLINK, all of which are on or off. */
static const struct netlink_option {
	const char *text;
	int name;
	size_t has, value;
} options[] = {
#define OPTION(name, field)                                                                                            \
	{                                                                                                              \
#name, name, offsetof(NetlinkSkEntry, has_##field), offsetof(NetlinkSkEntry, field)                    \
	}
	OPTION(NETLINK_PKTINFO, pktinfo),
	OPTION(NETLINK_BROADCAST_ERROR, broadcast_error),
	OPTION(NETLINK_NO_ENOBUFS, no_enobufs),
	OPTION(NETLINK_LISTEN_ALL_NSID, listen_all_nsid),
	OPTION(NETLINK_CAP_ACK, cap_ack),
	OPTION(NETLINK_EXT_ACK, ext_ack),
	OPTION(NETLINK_GET_STRICT_CHK, get_strict_chk),
};

static protobuf_c_boolean *field_at(NetlinkSkEntry *entry, size_t offset)
{
	return (protobuf_c_boolean *)((char *)entry + offset);
}

/* --- dump ------------------------------------------------------------------------ */

static bool netlink_match(const struct file_desc *desc)
{
	return S_ISSOCK(desc->st.st_mode) && sock_option(desc->fd, SO_DOMAIN) == AF_NETLINK;
}

/* Not every kernel has every option; one it does not have is off. */
static void dump_options(int fd, NetlinkSkEntry *entry)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		int value = 0;
		socklen_t bytes = sizeof(value);

		if (!getsockopt(fd, SOL_NETLINK, options[i].name, &value, &bytes) && value)
			*field_at(entry, options[i].has) = *field_at(entry, options[i].value) = true;
	}
}

static int dump_groups(struct files_dump *ctx, int fd, NetlinkSkEntry *entry)
{
	socklen_t bytes = 0;

	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, NULL, &bytes))
		return fail_errno("netlink socket: NETLINK_LIST_MEMBERSHIPS");
	if (!bytes)
		return 0;
	entry->groups = arena_alloc(ctx->model->arena, bytes);
	if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, entry->groups, &bytes))
		return fail_errno("netlink socket: NETLINK_LIST_MEMBERSHIPS");
	entry->n_groups = bytes / sizeof(*entry->groups);
	return 0;
}

static int dump_names(int fd, NetlinkSkEntry *entry)
{
	struct sockaddr_nl name = { 0 }, peer = { 0 };
	socklen_t name_bytes = sizeof(name), peer_bytes = sizeof(peer);

	if (getsockname(fd, (struct sockaddr *)&name, &name_bytes))
		return fail_errno("netlink socket: getsockname");
	if (getpeername(fd, (struct sockaddr *)&peer, &peer_bytes))
		return fail_errno("netlink socket: getpeername");
	entry->portid = name.nl_pid;
	entry->dst_portid = peer.nl_pid;
	entry->dst_group = peer.nl_groups ? __builtin_ffs((int)peer.nl_groups) : 0;
	entry->state = peer.nl_pid || peer.nl_groups ? STATE_CONNECTED : STATE_CLOSE;
	return 0;
}

static void refuse_unread(struct files_dump *ctx, const struct file_desc *desc)
{
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN };

	if (poll(&socket, 1, 0) <= 0)
		return;
	if (socket.revents & POLLIN)
		refuse_passing(ctx->refusals,
			       "%s: netlink socket with messages that were not read: nobody can send them again; read "
			       "them before the dump",
			       desc->link);
	else if (socket.revents & POLLERR)
		refuse_passing(ctx->refusals,
			       "%s: netlink socket that has not been told yet that it lost messages; read its error "
			       "before the dump",
			       desc->link);
}

/* Second number of a line of /proc/net/netfilter/nfnetlink_queue and _log: the port of who listens. */
static bool line_has_port(const char *line, uint32_t port)
{
	uint64_t number, listener;
	const char *end = scan_number(skip_blanks(line), 10, &number);

	return end && scan_number(skip_blanks(end), 10, &listener) && listener == port;
}

static int refuse_listener(struct files_dump *ctx, const struct file_desc *desc, pid_t pid, const char *file,
			   const char *what)
{
	auto_free char *text = NULL;
	char name[64], path[80];
	int err;

	snprintf(name, sizeof(name), "net/netfilter/%s", file);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	if (access(path, F_OK))
		return 0;
	err = proc_read_file(pid, name, &text, NULL);
	for (const char *line = err ? NULL : text; line && *line; line = next_line(line))
		if (line_has_port(line, desc->entry->nlsk->portid)) {
			refuse(ctx->refusals, "%s: netlink socket to which %s: not supported; close it before the dump",
			       desc->link, what);
			break;
		}
	return err;
}

/* What a part of the kernel does for a socket and forgets with it. */
static int refuse_served(struct files_dump *ctx, const struct file_desc *desc)
{
	const NetlinkSkEntry *entry = desc->entry->nlsk;
	int err = 0;

	if (entry->protocol == NETLINK_CONNECTOR && entry->n_groups && entry->groups[0] & 1U << (CN_IDX_PROC - 1))
		refuse(ctx->refusals,
		       "%s: netlink socket that listens to events of processes (connector): not supported; close it "
		       "before the dump",
		       desc->link);
	if (entry->protocol == NETLINK_NETFILTER && entry->portid) {
		err = refuse_listener(ctx, desc, desc->pid, "nfnetlink_queue", "packets are queued (NFQUEUE)");
		err = err ?: refuse_listener(ctx, desc, desc->pid, "nfnetlink_log", "packets are logged (NFLOG)");
	}
	return err;
}

static int netlink_plan(struct files_dump *ctx, struct file_desc *desc)
{
	NetlinkSkEntry *entry = model_new(ctx->model, NetlinkSkEntry, netlink_sk_entry__init);
	int type = sock_option(desc->fd, SO_TYPE), protocol = sock_option(desc->fd, SO_PROTOCOL);
	int err;

	if (type < 0 || protocol < 0)
		return fail_errno("netlink socket: SO_PROTOCOL");
	desc->entry->nlsk = entry;
	entry->id = desc->entry->id;
	entry->ino = (uint32_t)desc->st.st_ino;
	entry->protocol = protocol;
	entry->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	entry->has_type = type != SOCK_RAW;
	entry->type = entry->has_type ? type : 0;
	err = sock_refuse_netns(ctx, desc);
	err = err ?: dump_names(desc->fd, entry);
	err = err ?: dump_groups(ctx, desc->fd, entry);
	if (err)
		return err;
	dump_options(desc->fd, entry);
	refuse_unread(ctx, desc);
	err = refuse_served(ctx, desc);
	err = err ?: sock_opts_dump(ctx, desc, &entry->opts);
	return err ?: fown_dump(ctx, desc, &entry->fown);
}

/* --- restore --------------------------------------------------------------------- */

static int netlink_validate(const struct model *model, const FileEntry *file)
{
	const NetlinkSkEntry *entry = file->nlsk;

	if (!entry || entry->id != file->id || !entry->opts)
		return fail(EINVAL, "netlink socket without its entry");
	if (entry->has_type && entry->type != SOCK_RAW && entry->type != SOCK_DGRAM)
		return fail(EINVAL, "netlink socket of type %" PRIu32, entry->type);
	if (entry->protocol >= MAX_LINKS || entry->n_groups > GROUPS_MAX_WORDS || entry->dst_group > 32)
		return fail(EINVAL, "netlink socket: protocol %" PRIu32 ", %zu words of groups, destination %" PRIu32,
			    entry->protocol, entry->n_groups, entry->dst_group);
	return sock_opts_validate(entry->opts);
}

static int bind_port(const NetlinkSkEntry *entry, int fd)
{
	const struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = entry->portid };

	if (entry->portid && bind(fd, (const struct sockaddr *)&name, sizeof(name)))
		return fail_errno("cannot give port %" PRIu32 " to a netlink socket of protocol %" PRIu32,
				  entry->portid, entry->protocol);
	return 0;
}

static int join_groups(const NetlinkSkEntry *entry, int fd)
{
	for (size_t i = 0; i < entry->n_groups; i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			unsigned int group = i * 32 + bit + 1;

			if (entry->groups[i] & 1U << bit &&
			    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
				return fail_errno("netlink socket of protocol %" PRIu32 ": cannot join group %u",
						  entry->protocol, group);
		}
	}
	return 0;
}

static int connect_peer(const NetlinkSkEntry *entry, int fd)
{
	const struct sockaddr_nl peer = {
		.nl_family = AF_NETLINK,
		.nl_pid = entry->dst_portid,
		.nl_groups = entry->dst_group ? 1U << (entry->dst_group - 1) : 0,
	};

	/* An unbound socket would be given a port. */
	if (entry->state != STATE_CONNECTED || !entry->portid)
		return 0;
	if (connect(fd, (const struct sockaddr *)&peer, sizeof(peer)))
		return fail_errno("netlink socket: cannot connect to port %" PRIu32 ", group %" PRIu32,
				  entry->dst_portid, entry->dst_group);
	return 0;
}

static int set_options(NetlinkSkEntry *entry, int fd)
{
	const int on = 1;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (*field_at(entry, options[i].has) && *field_at(entry, options[i].value) &&
		    setsockopt(fd, SOL_NETLINK, options[i].name, &on, sizeof(on)))
			return fail_errno("cannot set option %s of a netlink socket", options[i].text);
	return 0;
}

static int netlink_make(struct files_restore *ctx, const FileEntry *file, struct made_file *ret)
{
	NetlinkSkEntry *entry = file->nlsk;
	int type = entry->has_type ? (int)entry->type : SOCK_RAW, err;
	auto_fd int fd = socket(AF_NETLINK, type | SOCK_CLOEXEC, (int)entry->protocol);

	if (fd < 0)
		return fail_errno("cannot make a netlink socket of protocol %" PRIu32, entry->protocol);
	err = bind_port(entry, fd);
	err = err ?: set_options(entry, fd);
	err = err ?: connect_peer(entry, fd);
	/* Filter and buffers before there is anything to be received. */
	err = err ?: sock_opts_restore(entry->opts, fd);
	err = err ?: join_groups(entry, fd);
	if (err)
		return err;
	if (fcntl(fd, F_SETFL, entry->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("netlink socket: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

const struct file_kind netlink_kind = {
	.type = FD_TYPES__NETLINKSK,
	.name = "netlink socket",
	.match = netlink_match,
	.plan = netlink_plan,
	.validate = netlink_validate,
	.make = netlink_make,
};
