/*
 * Features that are tried only when somebody asks: of the network, for that may load a
 * module into the kernel, and of asynchronous I/O, for ending a context takes the
 * kernel as long as some dumps.
 */
#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/sockios.h>
#include <linux/un.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kernel/features.h"
#include "kernel/nft.h"
#include "util/mem.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

static bool has_option(int domain, int type, int level, int name)
{
	auto_fd int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	int value;
	socklen_t bytes = sizeof(value);

	return fd >= 0 && !getsockopt(fd, level, name, &value, &bytes);
}

static bool network_lock(void)
{
	return !nft_usable();
}

static bool sk_ns(void)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	auto_fd int ns = fd < 0 ? -1 : ioctl(fd, SIOCGSKNS);

	return ns >= 0;
}

static bool buf_lock(void)
{
	return has_option(AF_INET, SOCK_STREAM, SOL_SOCKET, SO_BUF_LOCK);
}

static bool ipv6_freebind(void)
{
	return has_option(AF_INET6, SOCK_STREAM, SOL_IPV6, IPV6_FREEBIND);
}

/* Half-closed connections need no more of the kernel than others do. */
static bool tcp_repair(void)
{
	auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int on = 1;

	return fd >= 0 && !setsockopt(fd, SOL_TCP, TCP_REPAIR, &on, sizeof(on));
}

/* One without a name has no file to open, which only a kernel that knows the request can tell. */
static bool unix_file(void)
{
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && ioctl(fd, SIOCUNIXFILE) < 0 && errno == ENOENT;
}

/* A context's id is the address of its ring, and must become another one when the ring is moved. */
static bool aio_remap(void)
{
	aio_context_t ctx = 0;
	size_t bytes;
	void *to;
	bool moved = false;

	if (syscall(SYS_io_setup, 1, &ctx))
		return false;
	/* The ring's second word says how many slots come behind its head, which is as large as one of them. */
	bytes = (((const uint32_t *)ctx)[1] + 1) * sizeof(struct io_event);
	to = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (to != MAP_FAILED) {
		moved = mremap((void *)ctx, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to;
		if (moved)
			ctx = (aio_context_t)to;
		else
			munmap(to, bytes);
	}
	return !syscall(SYS_io_destroy, ctx) && moved;
}

const struct feature_on_demand features_on_demand[] = {
	{ "network_lock_nftables", network_lock,
	  "TCP connections with others cannot be kept without --network-lock skip" },
	{ "nftables", network_lock, "TCP connections with others cannot be kept without --network-lock skip" },
	{ "tcp_half_closed", tcp_repair, "TCP connections cannot be kept" },
	{ "sk_ns", sk_ns, "sockets of other network namespaces are not recognised" },
	{ "sockopt_buf_lock", buf_lock, "buffers of sockets are not adapted any more after restore" },
	{ "sk_unix_file", unix_file, "unix sockets with a name in the file system cannot be dumped" },
	{ "aio_remap", aio_remap, "contexts of asynchronous I/O cannot be restored" },
	{ "ipv6_freebind", ipv6_freebind, "IPV6_FREEBIND is not kept" },
};

const size_t features_on_demand_len = ARRAY_SIZE(features_on_demand);
