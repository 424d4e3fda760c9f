#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "zdtmtst.h"

const char *test_doc = "A netlink socket with an answer that was not read is refused, and still has it";

int main(int argc, char **argv)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} msg = {
		.header = { .nlmsg_len = sizeof(msg), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST },
		.info = { .ifi_index = 1 },
	};
	union {
		struct nlmsghdr header;
		char room[16384];
	} answer;
	int fd;

	test_init(argc, argv);

	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	if (fd < 0 || send(fd, &msg, sizeof(msg), 0) != sizeof(msg))
		return pr_perror("netlink socket");

	test_daemon();
	test_waitsig();

	if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) < (ssize_t)sizeof(answer.header) ||
	    answer.header.nlmsg_type != RTM_NEWLINK)
		return fail("the answer is gone");

	pass();
	return 0;
}
