/* Unix sockets: what sock_diag(7) tells of them. */
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/sock-diag.h"
#include "util/log.h"

static void *copy(const struct rtattr *attr)
{
	void *data = xalloc(RTA_PAYLOAD(attr) + 1);

	memcpy(data, RTA_DATA(attr), RTA_PAYLOAD(attr));
	return data;
}

static int parse_attr(void *arg, const struct rtattr *attr)
{
	struct sock_diag_unix *sock = arg;
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
		return sock_diag_u32(attr, &sock->peer);
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

static int parse_socket(void *arg, const struct nlmsghdr *header)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(header);
	sock_diag_unix_list *list = arg;
	struct sock_diag_unix *sock;

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return fail(EINVAL, "sock_diag: message of %u bytes", header->nlmsg_len);
	sock = VEC_ADD(list);
	sock->ino = msg->udiag_ino;
	sock->type = msg->udiag_type;
	sock->state = msg->udiag_state;
	return sock_diag_attrs(header, sizeof(*msg), parse_attr, sock);
}

int sock_diag_parse_unix(const void *block, size_t bytes, sock_diag_unix_list *list)
{
	return sock_diag_parse(block, bytes, "unix", parse_socket, list);
}

int sock_diag_unix(sock_diag_unix_list *ret)
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
	sock_diag_unix_list list = { 0 };
	int err = sock_diag_talk(&msg.header, "unix", parse_socket, &list);

	if (err)
		sock_diag_unix_free(&list);
	else
		*ret = list;
	return err;
}

void sock_diag_unix_free(sock_diag_unix_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->data[i].name);
		free(list->data[i].icons);
	}
	VEC_FREE(list);
}
