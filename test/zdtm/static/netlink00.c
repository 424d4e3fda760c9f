#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Netlink sockets of several protocols: ports, groups, options, whom they talk to";

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

#define GROUP_WORDS 8

static struct sock {
	const char *what;
	int type, protocol;
	unsigned int port, group;
	int option; /* of SOL_NETLINK; 0: none */
	bool bound;

	int fd;
	struct fd_state state;
	struct sockaddr_nl name;
	unsigned int groups[GROUP_WORDS];
	socklen_t groups_bytes;
} socks[] = {
	{ "routes", SOCK_RAW, NETLINK_ROUTE, 0, RTNLGRP_LINK, NETLINK_CAP_ACK, true },
	{ "uevents", SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT, 0, 1, 0, true },
	{ "diag", SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG, 0, 0, NETLINK_EXT_ACK, false },
	{ "generic", SOCK_RAW, NETLINK_GENERIC, 0x40004711, 0, NETLINK_PKTINFO, true },
	{ "user", SOCK_RAW, NETLINK_USERSOCK, 0x40004712, 0, NETLINK_NO_ENOBUFS, true },
	{ "other user", SOCK_DGRAM, NETLINK_USERSOCK, 0x40004713, 0, NETLINK_BROADCAST_ERROR, true },
};
#define NR	   ARRAY_SIZE(socks)
#define ROUTES	   (&socks[0])
#define USER	   (&socks[4])
#define OTHER_USER (&socks[5])

static int look(struct sock *s)
{
	socklen_t bytes = sizeof(s->name);

	s->groups_bytes = sizeof(s->groups);
	memset(s->groups, 0, sizeof(s->groups));
	return getsockname(s->fd, (struct sockaddr *)&s->name, &bytes) ||
	       getsockopt(s->fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, s->groups, &s->groups_bytes);
}

static int open_one(struct sock *s)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = s->port };
	int on = 1;

	s->fd = socket(AF_NETLINK, s->type, s->protocol);
	if (s->fd < 0 || (s->bound && bind(s->fd, (struct sockaddr *)&name, sizeof(name))))
		return pr_perror("%s: socket", s->what);
	if (s->group && setsockopt(s->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &s->group, sizeof(s->group)))
		return pr_perror("%s: group", s->what);
	if (s->option && setsockopt(s->fd, SOL_NETLINK, s->option, &on, sizeof(on)))
		return pr_perror("%s: option %d", s->what, s->option);
	if (fd_state_get(s->fd, &s->state) || look(s))
		return pr_perror("%s: state", s->what);
	return 0;
}

static int changed(const struct sock *was)
{
	struct sock now = *was;
	int type = 0, option = 0;
	socklen_t bytes = sizeof(int);

	if (fcntl(was->fd, F_GETFL) != was->state.status_flags || fcntl(was->fd, F_GETFD) != was->state.fd_flags)
		return fail("%s: flags changed", was->what);
	if (look(&now) || now.name.nl_pid != was->name.nl_pid || now.name.nl_groups != was->name.nl_groups)
		return fail("%s: port was %u, is %u", was->what, was->name.nl_pid, now.name.nl_pid);
	if (memcmp(now.groups, was->groups, sizeof(now.groups)))
		return fail("%s: groups were %#x, are %#x", was->what, was->groups[0], now.groups[0]);
	if (getsockopt(was->fd, SOL_SOCKET, SO_TYPE, &type, &bytes) ||
	    type != (was->type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)))
		return fail("%s: type is %d", was->what, type);
	for (int name = NETLINK_PKTINFO; was->option && name <= NETLINK_GET_STRICT_CHK; name++) {
		option = 0;
		if (name == NETLINK_RX_RING || name == NETLINK_TX_RING || name == NETLINK_LIST_MEMBERSHIPS)
			continue;
		if (!getsockopt(was->fd, SOL_NETLINK, name, &option, &bytes) && option != (name == was->option))
			return fail("%s: option %d is %d", was->what, name, option);
	}
	return 0;
}

/* Ask for a link that is there: the answer goes to the port that asked. */
static int ask_route(const struct sock *s)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} msg = {
		.header = { .nlmsg_len = sizeof(msg),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST,
			    .nlmsg_seq = 7 },
		.info = { .ifi_index = 1 },
	};
	union {
		struct nlmsghdr header;
		char room[16384];
	} answer;

	if (send(s->fd, &msg, sizeof(msg), 0) != sizeof(msg) ||
	    recv(s->fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer.header))
		return pr_perror("%s: ask", s->what);
	if (answer.header.nlmsg_type != RTM_NEWLINK || answer.header.nlmsg_pid != s->name.nl_pid)
		return fail("%s: answer of type %d for port %u", s->what, answer.header.nlmsg_type,
			    answer.header.nlmsg_pid);
	return 0;
}

static int connect_to(const struct sock *from, const struct sock *to)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK, .nl_pid = to->port };

	return connect(from->fd, (struct sockaddr *)&name, sizeof(name));
}

static int talk(const struct sock *from, const struct sock *to)
{
	struct sockaddr_nl name;
	struct iovec iov = { .iov_base = (char[16]){ "" }, .iov_len = 16 };
	struct msghdr msg = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &iov, .msg_iovlen = 1 };

	if (send(from->fd, "hello", 6, 0) != 6 || recvmsg(to->fd, &msg, MSG_DONTWAIT) != 6)
		return pr_perror("%s: talk", from->what);
	if (strcmp(iov.iov_base, "hello") || name.nl_pid != from->port)
		return fail("%s says '%s' as port %u", from->what, (char *)iov.iov_base, name.nl_pid);
	return 0;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);

	for (unsigned int i = 0; i < NR; i++)
		if (open_one(&socks[i]))
			return 1;
	if (connect_to(USER, OTHER_USER) || connect_to(OTHER_USER, USER))
		return pr_perror("connect");

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < NR; i++)
		if (changed(&socks[i]))
			return 1;
	if (ask_route(ROUTES) || talk(USER, OTHER_USER) || talk(OTHER_USER, USER))
		return 1;

	pass();
	return 0;
}
