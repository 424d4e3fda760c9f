#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/sock-diag.h"
#include "util/log.h"

/* The kernel fills at most 32 KiB of a receive buffer. */
#define BLOCK_BYTES (64 * 1024)

int sock_diag_u32(const struct rtattr *attr, uint32_t *ret)
{
	if (RTA_PAYLOAD(attr) < sizeof(*ret))
		return fail(EINVAL, "sock_diag: attribute %u of %zu bytes", attr->rta_type, (size_t)RTA_PAYLOAD(attr));
	memcpy(ret, RTA_DATA(attr), sizeof(*ret));
	return 0;
}

int sock_diag_attrs(const struct nlmsghdr *header, size_t fixed_bytes,
		    int (*each)(void *arg, const struct rtattr *attr), void *arg)
{
	const struct rtattr *attr = (const void *)((const char *)NLMSG_DATA(header) + NLMSG_ALIGN(fixed_bytes));
	size_t skipped = NLMSG_LENGTH(NLMSG_ALIGN(fixed_bytes));
	size_t left = header->nlmsg_len > skipped ? header->nlmsg_len - skipped : 0;

	while (left >= sizeof(*attr)) {
		size_t padded = RTA_ALIGN(attr->rta_len);
		int err;

		if (attr->rta_len < sizeof(*attr) || attr->rta_len > left)
			return fail(EINVAL, "sock_diag: attribute of %u bytes in %zu", attr->rta_len, left);
		err = each(arg, attr);
		if (err)
			return err;
		if (padded >= left)
			break;
		left -= padded;
		attr = (const void *)((const char *)attr + padded);
	}
	return 0;
}

static int parse_end(const struct nlmsghdr *header, const char *what)
{
	int32_t err = 0;

	if (header->nlmsg_len >= NLMSG_LENGTH(sizeof(err)))
		memcpy(&err, NLMSG_DATA(header), sizeof(err));
	if (err == -ENOENT)
		return fail(ENOENT, "sock_diag: this kernel shows no %s sockets (module %s_diag)", what, what);
	if (err < 0)
		return fail(-err, "sock_diag: the kernel shows no %s sockets", what);
	return header->nlmsg_type == NLMSG_DONE ? 0 : fail(EINVAL, "sock_diag: an error without a number");
}

int sock_diag_parse(const void *block, size_t bytes, const char *what, sock_diag_each each, void *arg)
{
	const struct nlmsghdr *header = block;

	while (bytes >= sizeof(*header)) {
		size_t padded = NLMSG_ALIGN(header->nlmsg_len);
		int err;

		if (header->nlmsg_len < sizeof(*header) || header->nlmsg_len > bytes)
			return fail(EINVAL, "sock_diag: message of %u bytes in %zu", header->nlmsg_len, bytes);
		if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
			return parse_end(header, what);
		err = header->nlmsg_type == SOCK_DIAG_BY_FAMILY ? each(arg, header) : 0;
		if (err)
			return err;
		if (padded >= bytes)
			break;
		bytes -= padded;
		header = (const void *)((const char *)header + padded);
	}
	return 1;
}

int sock_diag_talk(const struct nlmsghdr *request, const char *what, sock_diag_each each, void *arg)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	auto_free char *block = xalloc(BLOCK_BYTES);
	int more;

	if (fd < 0)
		return fail_errno("sock_diag: cannot open a netlink socket");
	if (sendto(fd, request, request->nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return fail_errno("sock_diag: cannot ask for %s sockets", what);
	do {
		ssize_t n = recv(fd, block, BLOCK_BYTES, MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			more = 1;
		else if (n < 0)
			more = fail_errno("sock_diag: recv");
		else if (n > BLOCK_BYTES)
			more = fail(EMSGSIZE, "sock_diag: %zd bytes at once", n);
		else
			more = sock_diag_parse(block, n, what, each, arg);
	} while (more > 0);
	return more;
}
