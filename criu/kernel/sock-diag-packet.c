/* Packet sockets: what sock_diag(7) tells of them. */
#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/sock-diag.h"
#include "util/log.h"

static int parse_info(const struct rtattr *attr, struct sock_diag_packet *sock)
{
	struct packet_diag_info info;

	if (RTA_PAYLOAD(attr) < sizeof(info))
		return fail(EINVAL, "sock_diag: packet socket in %zu bytes", (size_t)RTA_PAYLOAD(attr));
	memcpy(&info, RTA_DATA(attr), sizeof(info));
	sock->ifindex = info.pdi_index;
	sock->version = info.pdi_version;
	sock->reserve = info.pdi_reserve;
	sock->copy_thresh = info.pdi_copy_thresh;
	sock->timestamp = info.pdi_tstamp;
	sock->flags = info.pdi_flags;
	return 0;
}

static int parse_attr(void *arg, const struct rtattr *attr)
{
	struct sock_diag_packet *sock = arg;
	const size_t bytes = RTA_PAYLOAD(attr);

	switch (attr->rta_type) {
	case PACKET_DIAG_INFO:
		return parse_info(attr, sock);
	case PACKET_DIAG_MCLIST:
		free(sock->memberships);
		sock->n_memberships = bytes / sizeof(*sock->memberships);
		sock->memberships = xalloc(bytes + 1);
		memcpy(sock->memberships, RTA_DATA(attr), bytes);
		return 0;
	case PACKET_DIAG_RX_RING:
	case PACKET_DIAG_TX_RING:
		sock->has_ring = true;
		return 0;
	default:
		return 0;
	}
}

static int parse_socket(void *arg, const struct nlmsghdr *header)
{
	const struct packet_diag_msg *msg = NLMSG_DATA(header);
	sock_diag_packet_list *list = arg;
	struct sock_diag_packet *sock;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return fail(EINVAL, "sock_diag: message of %u bytes", header->nlmsg_len);
	sock = VEC_ADD(list);
	sock->ino = msg->pdiag_ino;
	sock->protocol = msg->pdiag_num;
	return sock_diag_attrs(header, sizeof(*msg), parse_attr, sock);
}

int sock_diag_parse_packet(const void *block, size_t bytes, sock_diag_packet_list *list)
{
	return sock_diag_parse(block, bytes, "packet", parse_socket, list);
}

int sock_diag_packet(sock_diag_packet_list *ret)
{
	const struct {
		struct nlmsghdr header;
		struct packet_diag_req req;
	} msg = {
		.header = {
			.nlmsg_len = sizeof(msg),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.req = {
			.sdiag_family = AF_PACKET,
			.pdiag_show = PACKET_SHOW_INFO | PACKET_SHOW_MCLIST | PACKET_SHOW_RING_CFG,
		},
	};
	sock_diag_packet_list list = { 0 };
	int err = sock_diag_talk(&msg.header, "packet", parse_socket, &list);

	if (err)
		sock_diag_packet_free(&list);
	else
		*ret = list;
	return err;
}

void sock_diag_packet_free(sock_diag_packet_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->data[i].memberships);
	VEC_FREE(list);
}
