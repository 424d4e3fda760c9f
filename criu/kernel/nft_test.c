/* Against the kernel, in a network namespace of the test's own. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "kernel/nft.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/test.h"

struct pair {
	int ends[2];
	struct nft_flow flows[2];
};

static bool enter_netns(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(!ioctl(fd, SIOCSIFFLAGS, &lo));
	close(fd);
	return true;
}

static void flow_of(int fd, bool v6, struct nft_flow *ret)
{
	struct sockaddr_in6 src, dst;
	socklen_t n = sizeof(src), m = sizeof(dst);

	CHECK(!getsockname(fd, (struct sockaddr *)&src, &n) && !getpeername(fd, (struct sockaddr *)&dst, &m));
	ret->v6 = v6;
	ret->src_port = src.sin6_port;
	ret->dst_port = dst.sin6_port;
	if (v6) {
		memcpy(ret->src, &src.sin6_addr, 16);
		memcpy(ret->dst, &dst.sin6_addr, 16);
	} else {
		memcpy(ret->src, &((struct sockaddr_in *)&src)->sin_addr, 4);
		memcpy(ret->dst, &((struct sockaddr_in *)&dst)->sin_addr, 4);
	}
}

static void make_pair(bool v6, struct pair *ret)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	socklen_t n = sizeof(addr);
	int listener = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	if (!v6)
		*(struct sockaddr_in *)&addr =
			(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	CHECK(!bind(listener, (struct sockaddr *)&addr, v6 ? sizeof(addr) : sizeof(struct sockaddr_in)));
	CHECK(!listen(listener, 1));
	CHECK(!getsockname(listener, (struct sockaddr *)&addr, &n));
	ret->ends[0] = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	CHECK(!connect(ret->ends[0], (struct sockaddr *)&addr, n));
	ret->ends[1] = accept(listener, NULL, NULL);
	CHECK(ret->ends[1] >= 0);
	close(listener);
	for (int i = 0; i < 2; i++)
		flow_of(ret->ends[i], v6, &ret->flows[i]);
}

static bool arrives(const struct pair *pair, int timeout_ms)
{
	struct pollfd end = { .fd = pair->ends[1], .events = POLLIN };
	char byte;

	CHECK_EQ(send(pair->ends[0], "x", 1, 0), 1);
	return poll(&end, 1, timeout_ms) == 1 && recv(pair->ends[1], &byte, 1, 0) == 1;
}

static void test_lock(void)
{
	struct pair locked[2], open[2];
	struct nft_flow flows[4];
	char byte;

	for (int v6 = 0; v6 < 2; v6++) {
		make_pair(v6, &locked[v6]);
		make_pair(v6, &open[v6]);
		memcpy(&flows[2 * v6], locked[v6].flows, sizeof(locked[v6].flows));
	}
	CHECK_EQ(nft_find("CRIU-test"), -ENOENT);
	CHECK_EQ(nft_lock("CRIU-test", flows, ARRAY_SIZE(flows)), 0);
	CHECK_EQ(nft_find("CRIU-test"), 0);
	CHECK_EQ(nft_find("CRIU-tes"), -ENOENT);
	CHECK_EQ(nft_lock("CRIU-test", flows, ARRAY_SIZE(flows)), -EEXIST);
	for (int v6 = 0; v6 < 2; v6++) {
		CHECK(arrives(&open[v6], 10000));
		CHECK(!arrives(&locked[v6], 50));
	}
	CHECK_EQ(nft_unlock("CRIU-test"), 0);
	CHECK_EQ(nft_unlock("CRIU-test"), -ENOENT);
	/* What was sent meanwhile is sent again. */
	for (int v6 = 0; v6 < 2; v6++) {
		CHECK(poll(&(struct pollfd){ .fd = locked[v6].ends[1], .events = POLLIN }, 1, 20000) == 1);
		CHECK_EQ(recv(locked[v6].ends[1], &byte, 1, 0), 1);
	}
}

static void test_mark(void)
{
	const int mark = NFT_PASS_MARK;
	struct pair pair;

	make_pair(false, &pair);
	CHECK_EQ(nft_lock("CRIU-test", pair.flows, 2), 0);
	CHECK(!setsockopt(pair.ends[0], SOL_SOCKET, SO_MARK, &mark, sizeof(mark)));
	CHECK(arrives(&pair, 10000));
	CHECK_EQ(nft_unlock("CRIU-test"), 0);
}

static void test_many(void)
{
	const size_t n = 5000;
	auto_free struct nft_flow *flows = xalloc(n * sizeof(*flows));

	for (size_t i = 0; i < n; i++) {
		flows[i].v6 = i % 3 == 0;
		memcpy(flows[i].src, &i, sizeof(i));
	}
	CHECK_EQ(nft_lock("CRIU-many", flows, n), 0);
	CHECK_EQ(nft_unlock("CRIU-many"), 0);
}

int main(void)
{
	if (!enter_netns()) {
		TEST_SKIP("not allowed to make a network namespace");
	} else if (nft_usable()) {
		TEST_SKIP("no nf_tables");
	} else {
		test_lock();
		test_mark();
		test_many();
	}
	return test_end();
}
