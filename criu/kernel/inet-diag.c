#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/inet-diag.h"
#include "util/log.h"

/* The kernel fills at most 32 KiB of a receive buffer. */
#define BLOCK_BYTES (64 * 1024)

static int parse_attrs(const struct rtattr *attr, size_t left, struct inet_diag_sock *sock)
{
	while (left >= sizeof(*attr)) {
		const size_t padded = RTA_ALIGN(attr->rta_len);

		if (attr->rta_len < sizeof(*attr) || attr->rta_len > left)
			return fail(EINVAL, "inet_diag: attribute of %u bytes in %zu", attr->rta_len, left);
		if (attr->rta_type == INET_DIAG_SHUTDOWN && RTA_PAYLOAD(attr) >= 1)
			sock->shutdown = *(const uint8_t *)RTA_DATA(attr);
		if (padded >= left)
			break;
		left -= padded;
		attr = (const void *)((const char *)attr + padded);
	}
	return 0;
}

static int parse_socket(const struct nlmsghdr *header, inet_diag_list *list)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(header);
	struct inet_diag_sock *sock;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return fail(EINVAL, "inet_diag: message of %u bytes", header->nlmsg_len);
	sock = VEC_ADD(list);
	sock->ino = msg->idiag_inode;
	return parse_attrs((const void *)(msg + 1), header->nlmsg_len - NLMSG_LENGTH(sizeof(*msg)), sock);
}

static int parse_end(const struct nlmsghdr *header)
{
	int32_t err = 0;

	if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(header), sizeof(err));
	if (err < 0)
		return fail(-err, "inet_diag: the kernel shows no sockets");
	return header->nlmsg_type == NLMSG_DONE ? 0 : fail(EINVAL, "inet_diag: an error without a number");
}

int inet_diag_parse(const void *block, size_t bytes, inet_diag_list *list)
{
	const struct nlmsghdr *header = block;

	while (bytes >= sizeof(*header)) {
		const size_t padded = NLMSG_ALIGN(header->nlmsg_len);
		int err;

		if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > bytes)
			return fail(EINVAL, "inet_diag: message of %u bytes in %zu", header->nlmsg_len, bytes);
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

static int ask(int fd, int family)
{
	const struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 req;
	} msg = {
		.header = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.req = {
			.sdiag_family = family,
			.sdiag_protocol = IPPROTO_UDP,
			.idiag_ext = 1 << (INET_DIAG_SHUTDOWN - 1),
			.idiag_states = ~0U,
		},
	};
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (sendto(fd, &msg, sizeof(msg), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return fail_errno("inet_diag: cannot ask for UDP sockets");
	return 0;
}

int inet_diag_udp(int family, inet_diag_list *list)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	auto_free char *block = xalloc(BLOCK_BYTES);
	int more;

	if (fd < 0)
		return fail_errno("inet_diag: cannot open a netlink socket");
	more = ask(fd, family);
	if (more)
		return more;
	do {
		ssize_t n = recv(fd, block, BLOCK_BYTES, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			more = 1;
		else if (n < 0)
			more = fail_errno("inet_diag: recv");
		else if (n > BLOCK_BYTES)
			more = fail(EMSGSIZE, "inet_diag: %zd bytes at once", n);
		else
			more = inet_diag_parse(block, n, list);
	} while (more > 0);
	return more;
}
