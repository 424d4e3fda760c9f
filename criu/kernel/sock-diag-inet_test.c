#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kernel/sock-diag.h"
#include "util/log.h"
#include "util/test.h"

struct message {
	struct nlmsghdr header;
	struct inet_diag_msg msg;
	struct rtattr attr;
	uint8_t shutdown, padding[3];
};

static void make_message(struct message *ret)
{
	*ret = (struct message){
		.header = { .nlmsg_len = offsetof(struct message, padding), .nlmsg_type = SOCK_DIAG_BY_FAMILY },
		.msg.idiag_inode = 77,
		.attr = { .rta_len = RTA_LENGTH(1), .rta_type = INET_DIAG_SHUTDOWN },
		.shutdown = 2,
	};
}

static void test_parse(void)
{
	struct message message;
	sock_diag_inet_list list = { 0 };
	struct {
		struct nlmsghdr header;
		int32_t err;
	} end = { .header = { .nlmsg_len = sizeof(end), .nlmsg_type = NLMSG_DONE } };

	make_message(&message);
	CHECK_EQ(sock_diag_parse_inet(&message, sizeof(message), &list), 1);
	CHECK_EQ(list.n, 1);
	CHECK_EQ(list.data[0].ino, 77);
	CHECK_EQ(list.data[0].shutdown, 2);
	CHECK_EQ(sock_diag_parse_inet(&end, sizeof(end), &list), 0);
	end.header.nlmsg_type = NLMSG_ERROR;
	CHECK_EQ(sock_diag_parse_inet(&end, sizeof(end), &list), -EINVAL);
	end.err = -EPERM;
	CHECK_EQ(sock_diag_parse_inet(&end, sizeof(end), &list), -EPERM);
	VEC_FREE(&list);
}

/* No cut and no changed bit leads outside of the block; the sanitizers watch. */
static void test_spoiled(void)
{
	struct message message;

	make_message(&message);
	for (size_t i = 0; i < sizeof(message) * 8; i++) {
		auto_free char *copy = xalloc(sizeof(message));
		sock_diag_inet_list list = { 0 };

		memcpy(copy, &message, sizeof(message));
		copy[i / 8] ^= 1 << i % 8;
		CHECK(sock_diag_parse_inet(copy, sizeof(message), &list) <= 1);
		VEC_FREE(&list);
	}
	for (size_t n = sizeof(struct nlmsghdr); n < offsetof(struct message, padding); n++) {
		auto_free char *cut = xalloc(n);
		sock_diag_inet_list list = { 0 };

		memcpy(cut, &message, n);
		CHECK_EQ(sock_diag_parse_inet(cut, n, &list), -EINVAL);
		VEC_FREE(&list);
	}
}

static void test_kernel(void)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sock_diag_inet_list list = { 0 };
	bool found = false;
	struct stat st;

	CHECK(!bind(fd, (const struct sockaddr *)&addr, sizeof(addr)));
	shutdown(fd, SHUT_RD);
	CHECK(!fstat(fd, &st));
	if (sock_diag_udp(AF_INET, &list)) {
		TEST_SKIP("the kernel shows no UDP sockets");
	} else {
		for (size_t i = 0; i < list.n; i++)
			if (list.data[i].ino == st.st_ino)
				found = list.data[i].shutdown == 1;
		CHECK(found);
	}
	VEC_FREE(&list);
	close(fd);
}

int main(void)
{
	test_parse();
	test_spoiled();
	test_kernel();
	return test_end();
}
