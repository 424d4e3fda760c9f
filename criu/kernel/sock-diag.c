#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/sock-diag.h"
#include "util/log.h"

/* The kernel fills at most 32 KiB of a receive buffer. */
#define BLOCK_BYTES (64 * 1024)

static int parse_u32(const struct rtattr *attr, uint32_t *ret)
{
	if (RTA_PAYLOAD(attr) < sizeof(*ret))
		return fail(EINVAL, "sock_diag: attribute %u of %zu bytes", attr->rta_type, (size_t)RTA_PAYLOAD(attr));
	memcpy(ret, RTA_DATA(attr), sizeof(*ret));
	return 0;
}

static void *copy(const struct rtattr *attr)
{
	void *data = xalloc(RTA_PAYLOAD(attr) + 1);

	memcpy(data, RTA_DATA(attr), RTA_PAYLOAD(attr));
	return data;
}

static int parse_attr(const struct rtattr *attr, struct sock_diag_unix *sock)
{
	struct unix_diag_rqlen lengths;
	struct unix_diag_vfs vfs;

	switch (attr->rta_type) {
	case UNIX_DIAG_NAME:
		free(sock->name);
		sock->name = copy(attr);
		sock->name_bytes = RTA_PAYLOAD(attr);
		return 0;
	case UNIX_DIAG_VFS:
		if (RTA_PAYLOAD(attr) < sizeof(vfs))
			return fail(EINVAL, "sock_diag: socket file of %zu bytes", (size_t)RTA_PAYLOAD(attr));
		memcpy(&vfs, RTA_DATA(attr), sizeof(vfs));
		sock->file_ino = vfs.udiag_vfs_ino;
		sock->file_dev = vfs.udiag_vfs_dev;
		return 0;
	case UNIX_DIAG_PEER:
		sock->has_peer = true;
		return parse_u32(attr, &sock->peer);
	case UNIX_DIAG_ICONS:
		free(sock->icons);
		sock->icons = copy(attr);
		sock->n_icons = RTA_PAYLOAD(attr) / sizeof(*sock->icons);
		return 0;
	case UNIX_DIAG_RQLEN:
		if (RTA_PAYLOAD(attr) < sizeof(lengths))
			return fail(EINVAL, "sock_diag: queue lengths of %zu bytes", (size_t)RTA_PAYLOAD(attr));
		memcpy(&lengths, RTA_DATA(attr), sizeof(lengths));
		sock->rqueue = lengths.udiag_rqueue;
		sock->wqueue = lengths.udiag_wqueue;
		return 0;
	case UNIX_DIAG_SHUTDOWN:
		if (RTA_PAYLOAD(attr) < 1)
			return fail(EINVAL, "sock_diag: shutdown state without a byte");
		sock->shutdown = *(const uint8_t *)RTA_DATA(attr);
		return 0;
	default:
		return 0;
	}
}

static int parse_socket(const struct nlmsghdr *header, sock_diag_unix_list *list)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(header);
	const struct rtattr *attr = (const void *)(msg + 1);
	struct sock_diag_unix *sock;
	size_t left;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return fail(EINVAL, "sock_diag: message of %u bytes", header->nlmsg_len);
	sock = VEC_ADD(list);
	sock->ino = msg->udiag_ino;
	sock->type = msg->udiag_type;
	sock->state = msg->udiag_state;
	left = header->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	while (left >= sizeof(*attr)) {
		size_t padded = RTA_ALIGN(attr->rta_len);
		int err;

		if (attr->rta_len < sizeof(*attr) || attr->rta_len > left)
			return fail(EINVAL, "sock_diag: attribute of %u bytes in %zu", attr->rta_len, left);
		err = parse_attr(attr, sock);
		if (err)
			return err;
		if (padded >= left)
			break;
		left -= padded;
		attr = (const void *)((const char *)attr + padded);
	}
	return 0;
}

static int parse_end(const struct nlmsghdr *header)
{
	int32_t err = 0;

	if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(header), sizeof(err));
	if (err < 0)
		return fail(-err, "sock_diag: the kernel shows no unix sockets");
	return header->nlmsg_type == NLMSG_DONE ? 0 : fail(EINVAL, "sock_diag: an error without a number");
}

int sock_diag_parse_unix(const void *block, size_t bytes, sock_diag_unix_list *list)
{
	const struct nlmsghdr *header = block;

	while (bytes >= sizeof(*header)) {
		size_t padded = NLMSG_ALIGN(header->nlmsg_len);
		int err;

		if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > bytes)
			return fail(EINVAL, "sock_diag: message of %u bytes in %zu", header->nlmsg_len, bytes);
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			return parse_end(header);
		err = header->nlmsg_type == SOCK_DIAG_BY_FAMILY ? parse_socket(header, list) : 0;
		if (err)
			return err;
		if (padded >= bytes)
			break;
		bytes -= padded;
		header = (const void *)((const char *)header + padded);
	}
	return 1;
}

static int ask(int fd)
{
	const struct {
		struct nlmsghdr header;
		struct unix_diag_req req;
	} msg = {
		.header = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.req = {
			.sdiag_family = AF_UNIX,
			.udiag_states = ~0U,
			.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN,
		},
	};
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, &msg, sizeof(msg), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return fail_errno("sock_diag: cannot ask for unix sockets");
	return 0;
}

int sock_diag_unix(sock_diag_unix_list *ret)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	auto_free char *block = xalloc(BLOCK_BYTES);
	sock_diag_unix_list list = { 0 };
	int more;

	if (fd < 0)
		return fail_errno("sock_diag: cannot open a netlink socket");
	more = ask(fd);
	if (more)
		return more;
	do {
		ssize_t n = recv(fd, block, BLOCK_BYTES, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			more = 1;
		else if (n < 0)
			more = fail_errno("sock_diag: recv");
		else if (n > BLOCK_BYTES)
			more = fail(EMSGSIZE, "sock_diag: %zd bytes at once", n);
		else
			more = sock_diag_parse_unix(block, n, &list);
	} while (more > 0);
	if (more < 0) {
		sock_diag_unix_free(&list);
		return more;
	}
	*ret = list;
	return 0;
}

void sock_diag_unix_free(sock_diag_unix_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->data[i].name);
		free(list->data[i].icons);
	}
	VEC_FREE(list);
}
