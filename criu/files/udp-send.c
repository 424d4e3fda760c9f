/*
 * A datagram to ourselves, in the name of whoever once sent it.
 *
 * From a raw socket, which needs no port, so nothing of others is taken or received. With IP_TRANSPARENT it may
 * send from any address, given with each message (IP_PKTINFO). Where it comes from is not looked at on arrival, for a
 * packet that the loopback delivers has been routed already. It is sent to no address but our own, so that
 * it can't leave the machine: the one that it had, if we have that; else the one that the socket is to be bound to; of a link-local
 * sender, one of the same device, by which the receiver knows where that sender is; else 127.0.0.1 or ::1.
 * A device that owns the address is shown as the one it came through.
 */
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <string.h>

#include "files/udp.h"

#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif
#ifndef IP_TRANSPARENT
#define IP_TRANSPARENT 19
#endif

static bool is_v6(const union inet_addr *addr)
{
	return addr->sa.sa_family == AF_INET6;
}

static bool is_any(const union inet_addr *addr)
{
	return is_v6(addr) ? IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr) : !addr->v4.sin_addr.s_addr;
}

static bool is_link_local(const union inet_addr *addr)
{
	return is_v6(addr) && IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr);
}

/* An IPv4 address that stands in one of IPv6 becomes one. */
static void from_words(const uint32_t *words, size_t n, union inet_addr *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (n == 4 && (words[0] || words[1] || words[2] != htonl(0xffff))) {
		ret->v6.sin6_family = AF_INET6;
		memcpy(&ret->v6.sin6_addr, words, sizeof(ret->v6.sin6_addr));
		return;
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_addr.s_addr = words[n - 1];
}

int udp_source(const InetPacketEntry *packet, union inet_addr *ret)
{
	from_words(packet->src_addr, packet->n_src_addr, ret);
	if (!is_v6(ret)) {
		ret->v4.sin_port = htons(packet->src_port);
		return 0;
	}
	ret->v6.sin6_port = htons(packet->src_port);
	if (!is_link_local(ret))
		return 0;
	ret->v6.sin6_scope_id = packet->ifname ? if_nametoindex(packet->ifname) : 0;
	return ret->v6.sin6_scope_id ? 0 : -ENODEV;
}

/* --- where to ------------------------------------------------------------------- */

static bool same_addr(const union inet_addr *a, const union inet_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (!is_v6(a))
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) &&
	       (!is_link_local(a) || a->v6.sin6_scope_id == b->v6.sin6_scope_id);
}

static bool is_own(const struct udp_sender *sender, const union inet_addr *addr)
{
	if (!is_v6(addr) && ntohl(addr->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
		return true;
	for (const struct ifaddrs *own = sender->own; own; own = own->ifa_next)
		if (own->ifa_addr && same_addr((const union inet_addr *)own->ifa_addr, addr))
			return true;
	return false;
}

/* One of ours on the device of a link-local sender. */
static bool find_link_local(const struct udp_sender *sender, uint32_t scope, union inet_addr *ret)
{
	for (const struct ifaddrs *own = sender->own; own; own = own->ifa_next) {
		const union inet_addr *addr = (const void *)own->ifa_addr;

		if (!addr || !is_link_local(addr) || addr->v6.sin6_scope_id != scope)
			continue;
		ret->v6 = addr->v6;
		return true;
	}
	return false;
}

static int choose_target(const struct udp_sender *sender, const InetPacketEntry *packet, const union inet_addr *from,
			 const union inet_addr *bound, union inet_addr *ret)
{
	const uint32_t scope = is_link_local(from) ? from->v6.sin6_scope_id : 0;

	if (packet->n_dst_addr) {
		from_words(packet->dst_addr, packet->n_dst_addr, ret);
		if (is_link_local(ret))
			ret->v6.sin6_scope_id = scope;
		if (ret->sa.sa_family == from->sa.sa_family && is_link_local(ret) == is_link_local(from) &&
		    is_own(sender, ret))
			return 0;
	}
	if (scope)
		return find_link_local(sender, scope, ret) ? 0 : -EADDRNOTAVAIL;
	from_words(bound->sa.sa_family == AF_INET ? &bound->v4.sin_addr.s_addr : bound->v6.sin6_addr.s6_addr32,
		   bound->sa.sa_family == AF_INET ? 1 : 4, ret);
	if (ret->sa.sa_family == from->sa.sa_family && !is_link_local(ret) && is_own(sender, ret))
		return 0;
	memset(ret, 0, sizeof(*ret));
	ret->sa.sa_family = from->sa.sa_family;
	if (is_v6(from))
		ret->v6.sin6_addr = in6addr_loopback;
	else
		ret->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return 0;
}

/* --- the sockets -------------------------------------------------------------------- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

static int open_raw(bool v6)
{
	auto_fd int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
	int err = fd < 0 ? -errno : 0;

	/* It gets copies of what comes over UDP; nobody reads them. */
	err = err ?: set(fd, SOL_SOCKET, SO_RCVBUF, 0);
	err = err ?: set(fd, SOL_SOCKET, SO_MARK, NFT_PASS_MARK);
	err = err ?: set(fd, SOL_SOCKET, SO_SNDBUFFORCE, INT_MAX / 2);
	err = err ?: set(fd, v6 ? SOL_IPV6 : SOL_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, 1);
	/* Over IPv4 none is needed. */
	if (!err && v6)
		err = set(fd, SOL_IPV6, IPV6_CHECKSUM, offsetof(struct udphdr, check));
	return err ? err : take_fd(&fd);
}

static int sender_fd(struct udp_sender *sender, bool v6)
{
	if (!sender->own && getifaddrs(&sender->own))
		return -errno;
	if (sender->fds[v6] < 0)
		sender->fds[v6] = open_raw(v6);
	return sender->fds[v6];
}

void udp_sender_free(struct udp_sender *sender)
{
	close_fdp(&sender->fds[0]);
	close_fdp(&sender->fds[1]);
	if (sender->own)
		freeifaddrs(sender->own);
	sender->own = NULL;
}

/* --- sending -------------------------------------------------------------------------- */

#define CONTROL_BYTES (CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)))

static void add_control(struct msghdr *msg, int level, int type, const void *data, size_t bytes)
{
	struct cmsghdr *cmsg = (void *)((char *)msg->msg_control + msg->msg_controllen);

	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(cmsg), data, bytes);
	msg->msg_controllen += CMSG_SPACE(bytes);
}

static void add_header(struct msghdr *msg, const InetPacketEntry *packet, const union inet_addr *from)
{
	const bool v6 = is_v6(from);
	/* No packet is sent with a TTL of 0, though one may arrive. */
	const int level = v6 ? SOL_IPV6 : SOL_IP, ttl = packet->ttl ?: 1, tos = packet->tos;
	const struct in_pktinfo as4 = { .ipi_spec_dst = from->v4.sin_addr };
	const struct in6_pktinfo as6 = { .ipi6_addr = from->v6.sin6_addr, .ipi6_ifindex = from->v6.sin6_scope_id };

	if (v6)
		add_control(msg, level, IPV6_PKTINFO, &as6, sizeof(as6));
	else
		add_control(msg, level, IP_PKTINFO, &as4, sizeof(as4));
	if (packet->has_ttl)
		add_control(msg, level, v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl, sizeof(ttl));
	if (packet->has_tos)
		add_control(msg, level, v6 ? IPV6_TCLASS : IP_TOS, &tos, sizeof(tos));
}

int udp_send(struct udp_sender *sender, const struct sk_packet_image *packet, const union inet_addr *bound,
	     uint16_t port, const char **ret_why)
{
	struct udphdr header = { .dest = htons(port), .len = htons(packet->entry->length + sizeof(header)) };
	union {
		char bytes[CONTROL_BYTES];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov[] = { { &header, sizeof(header) }, { packet->bytes, packet->entry->length } };
	union inet_addr from, to;
	struct msghdr msg = { .msg_name = &to, .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.bytes };
	int fd, err = udp_source(packet->entry->inet, &from);

	*ret_why = "its network device is not there";
	/* It would come from an address that the kernel chooses. */
	if (!err && is_any(&from)) {
		*ret_why = "it has no sender's address";
		return -EADDRNOTAVAIL;
	}
	fd = err ? err : sender_fd(sender, is_v6(&from));
	if (fd >= 0)
		err = choose_target(sender, packet->entry->inet, &from, bound, &to);
	else if (!err)
		*ret_why = "raw sockets can't be used", err = fd;
	if (err)
		return err;
	header.source = htons(packet->entry->inet->src_port);
	msg.msg_namelen = is_v6(&to) ? sizeof(to.v6) : sizeof(to.v4);
	add_header(&msg, packet->entry->inet, &from);
	*ret_why = "cannot send it to ourselves";
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) < 0)
		return -errno;
	*ret_why = "it does not arrive, a packet filter may drop it";
	return 0;
}
