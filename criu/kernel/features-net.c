/*
 * Features of the network. They are tried only when somebody asks, for that may load
 * a module into the kernel.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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

const struct feature_on_demand features_on_demand[] = {
	{ "network_lock_nftables", network_lock,
	  "TCP connections with others cannot be kept without --network-lock skip" },
	{ "nftables", network_lock, "TCP connections with others cannot be kept without --network-lock skip" },
	{ "tcp_half_closed", tcp_repair, "TCP connections cannot be kept" },
	{ "sk_ns", sk_ns, "sockets of other network namespaces are not recognised" },
	{ "sockopt_buf_lock", buf_lock, "buffers of sockets are not adapted any more after restore" },
	{ "ipv6_freebind", ipv6_freebind, "IPV6_FREEBIND is not kept" },
};

const size_t features_on_demand_len = ARRAY_SIZE(features_on_demand);
