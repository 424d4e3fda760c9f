/* Internet sockets: what sock_diag(7) tells of them and a descriptor does not. */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "kernel/sock-diag.h"
#include "util/log.h"

static int parse_attr(void *arg, const struct rtattr *attr)
{
	struct sock_diag_inet *sock = arg;

	if (attr->rta_type == INET_DIAG_SHUTDOWN && RTA_PAYLOAD(attr) >= 1)
		sock->shutdown = *(const uint8_t *)RTA_DATA(attr);
	return 0;
}

static int parse_socket(void *arg, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(header);
	sock_diag_inet_list *list = arg;
	struct sock_diag_inet *sock;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return fail(EINVAL, "sock_diag: message of %u bytes", header->nlmsg_len);
	sock = VEC_ADD(list);
	sock->ino = msg->idiag_inode;
	return sock_diag_attrs(header, sizeof(*msg), parse_attr, sock);
}

int sock_diag_parse_inet(const void *block, size_t bytes, sock_diag_inet_list *list)
{
	return sock_diag_parse(block, bytes, "internet", parse_socket, list);
}

int sock_diag_udp(int family, sock_diag_inet_list *list)
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

	return sock_diag_talk(&msg.header, "udp", parse_socket, list);
}
