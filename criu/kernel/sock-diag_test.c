#include <linux/netlink.h>
#include <linux/packet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "kernel/sock-diag.h"
#include "util/log.h"
#include "util/test.h"

struct block {
	_Alignas(8) char bytes[512];
	size_t n;
};

static struct nlmsghdr *add_message(struct block *block, uint16_t type)
{
	struct nlmsghdr *header = (void *)(block->bytes + block->n);

	header->nlmsg_type = type;
	header->nlmsg_len = NLMSG_HDRLEN;
	block->n += NLMSG_HDRLEN;
	return header;
}

static void grow(struct block *block, struct nlmsghdr *header, const void *data, size_t bytes)
{
	memcpy(block->bytes + block->n, data, bytes);
	block->n += NLMSG_ALIGN(bytes);
	header->nlmsg_len = block->bytes + block->n - (char *)header;
}

static void add_attr(struct block *block, struct nlmsghdr *header, uint16_t type, const void *data, size_t bytes)
{
	const struct rtattr attr = { .rta_type = type, .rta_len = RTA_LENGTH(bytes) };

	grow(block, header, &attr, sizeof(attr));
	grow(block, header, data, bytes);
}

static void make_block(struct block *block)
{
	const struct unix_diag_msg msg = { .udiag_type = SOCK_STREAM, .udiag_state = 10, .udiag_ino = 77 };
	const struct unix_diag_rqlen lengths = { 2, 128 };
	const uint32_t peer = 78, icons[] = { 5, 0, 6 };
	struct nlmsghdr *header = add_message(block, SOCK_DIAG_BY_FAMILY);

	grow(block, header, &msg, sizeof(msg));
	add_attr(block, header, UNIX_DIAG_NAME, "\0abstract", 9);
	add_attr(block, header, UNIX_DIAG_PEER, &peer, sizeof(peer));
	add_attr(block, header, UNIX_DIAG_ICONS, icons, sizeof(icons));
	add_attr(block, header, UNIX_DIAG_RQLEN, &lengths, sizeof(lengths));
	add_attr(block, header, UNIX_DIAG_SHUTDOWN, "\3", 1);
}

static void test_parse(void)
{
	struct block block = { .n = 0 };
	sock_diag_unix_list list = { 0 };

	make_block(&block);
	CHECK_EQ(sock_diag_parse_unix(block.bytes, block.n, &list), 1);
	CHECK_EQ(list.n, 1);
	CHECK_EQ(list.data[0].ino, 77);
	CHECK_EQ(list.data[0].type, SOCK_STREAM);
	CHECK_EQ(list.data[0].state, 10);
	CHECK_EQ(list.data[0].name_bytes, 9);
	CHECK(!memcmp(list.data[0].name, "\0abstract", 9));
	CHECK(list.data[0].has_peer);
	CHECK_EQ(list.data[0].peer, 78);
	CHECK_EQ(list.data[0].n_icons, 3);
	CHECK_EQ(list.data[0].icons[2], 6);
	CHECK_EQ(list.data[0].rqueue, 2);
	CHECK_EQ(list.data[0].wqueue, 128);
	CHECK_EQ(list.data[0].shutdown, 3);
	sock_diag_unix_free(&list);
}

static void test_last(void)
{
	struct block block = { .n = 0 };
	sock_diag_unix_list list = { 0 };
	int32_t err = 0;

	make_block(&block);
	grow(&block, add_message(&block, NLMSG_DONE), &err, sizeof(err));
	CHECK_EQ(sock_diag_parse_unix(block.bytes, block.n, &list), 0);
	CHECK_EQ(list.n, 1);
	sock_diag_unix_free(&list);

	block.n = 0;
	err = -EPERM;
	grow(&block, add_message(&block, NLMSG_ERROR), &err, sizeof(err));
	CHECK_EQ(sock_diag_parse_unix(block.bytes, block.n, &list), -EPERM);
	CHECK_EQ(list.n, 0);
}

/* No cut and no changed byte leads outside of the block; the sanitizers watch. */
static void test_spoiled(void)
{
	struct block block = { .n = 0 };

	make_block(&block);
	for (size_t n = 0; n < block.n; n++) {
		auto_free char *cut = xalloc(n + 1);
		sock_diag_unix_list list = { 0 };

		memcpy(cut, block.bytes, n);
		CHECK(sock_diag_parse_unix(cut, n, &list) != 0);
		sock_diag_unix_free(&list);
	}
	for (size_t i = 0; i < block.n * 8; i++) {
		auto_free char *copy = xalloc(block.n);
		sock_diag_unix_list list = { 0 };

		memcpy(copy, block.bytes, block.n);
		copy[i / 8] ^= 1 << i % 8;
		CHECK(sock_diag_parse_unix(copy, block.n, &list) <= 1);
		sock_diag_unix_free(&list);
	}
}

static void test_packet(void)
{
	const struct packet_diag_msg msg = { .pdiag_num = 3, .pdiag_ino = 77 };
	const struct packet_diag_info info = { .pdi_index = 5, .pdi_flags = PDI_AUXDATA };
	const struct packet_diag_mclist memberships[2] = { { .pdmc_index = 1 }, { .pdmc_index = 2, .pdmc_count = 3 } };
	struct block block = { .n = 0 };
	struct nlmsghdr *header = add_message(&block, SOCK_DIAG_BY_FAMILY);
	sock_diag_packet_list list = { 0 };

	grow(&block, header, &msg, sizeof(msg));
	add_attr(&block, header, PACKET_DIAG_INFO, &info, sizeof(info));
	add_attr(&block, header, PACKET_DIAG_MCLIST, memberships, sizeof(memberships));
	CHECK_EQ(sock_diag_parse_packet(block.bytes, block.n, &list), 1);
	CHECK_EQ(list.n, 1);
	CHECK_EQ(list.data[0].ino, 77);
	CHECK_EQ(list.data[0].protocol, 3);
	CHECK_EQ(list.data[0].ifindex, 5);
	CHECK_EQ(list.data[0].flags, PDI_AUXDATA);
	CHECK(!list.data[0].has_ring);
	CHECK_EQ(list.data[0].n_memberships, 2);
	CHECK_EQ(list.data[0].memberships[1].pdmc_count, 3);
	sock_diag_packet_free(&list);
	for (size_t i = 0; i < block.n * 8; i++) {
		auto_free char *copy = xalloc(block.n);

		memcpy(copy, block.bytes, block.n);
		copy[i / 8] ^= 1 << i % 8;
		CHECK(sock_diag_parse_packet(copy, block.n, &list) <= 1);
		sock_diag_packet_free(&list);
	}
}

static const struct sock_diag_unix *find(const sock_diag_unix_list *list, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	for (size_t i = 0; i < list->n; i++)
		if (list->data[i].ino == st.st_ino)
			return &list->data[i];
	return NULL;
}

static void test_kernel(void)
{
	const struct sock_diag_unix *ends[2], *bound;
	int pair[2], fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	sock_diag_unix_list list;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	CHECK_EQ(write(pair[0], "four", 4), 4);
	CHECK(!shutdown(pair[1], SHUT_WR));
	CHECK(!bind(fd, (const struct sockaddr *)&any, sizeof(any.sun_family)));
	if (sock_diag_unix(&list)) {
		TEST_SKIP("the kernel shows no unix sockets");
	} else {
		ends[0] = find(&list, pair[0]);
		ends[1] = find(&list, pair[1]);
		bound = find(&list, fd);
		CHECK(ends[0] && ends[1] && bound);
		CHECK_EQ(ends[0]->peer, ends[1]->ino);
		CHECK_EQ(ends[1]->peer, ends[0]->ino);
		CHECK_EQ(ends[1]->rqueue, 4);
		CHECK_EQ(ends[0]->shutdown, 1);
		CHECK_EQ(ends[1]->shutdown, 2);
		CHECK(!bound->has_peer);
		CHECK_EQ(bound->name_bytes, 6);
		sock_diag_unix_free(&list);
	}
	close(pair[0]);
	close(pair[1]);
	close(fd);
}

int main(void)
{
	test_parse();
	test_last();
	test_spoiled();
	test_packet();
	test_kernel();
	return test_end();
}
