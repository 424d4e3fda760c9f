/*
 * Options of IP, IPv6, TCP and UDP.
 *
 * Those that mainline's message has a field for are in named[]. All others
 * are kept as they are, level, name and value, if they differ from those of a new
 * socket; mainline does not read these.
 *
 * Not preserved: TCP_QUICKACK, TCP_WINDOW_CLAMP of a connection, which the kernel changes all the
 * time; keys of TCP_MD5SIG, which nothing shows.
 */
#include <inttypes.h>
#include <linux/in6.h>
#include <linux/udp.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "files/inet-sk.h"

#define VALUE_MAX	64
#define VALUE_MAX_IMAGE (256 * 1024)

#ifndef SOL_UDP
#define SOL_UDP 17
#endif

/* Of newer kernels than the C library's headers. */
#define TCP_INQ_		36
#define TCP_TX_DELAY_		37
#define TCP_FASTOPEN_NO_COOKIE_ 34
#define IP_LOCAL_PORT_RANGE_	51
#define TCP_RTO_MAX_MS_		44
#define TCP_RTO_MIN_US_		45
#define TCP_DELACK_MAX_US_	46
#define IPV6_FLOWINFO_		11
#define IPV6_FLOWINFO_SEND_	33

enum where { FOR_NOBODY, FOR_ANY, FOR_V6, FOR_TCP, FOR_UNCONNECTED_TCP, FOR_UDP, FOR_RAW };

struct option_name {
	int level, name;
	const char *text;
	enum where where;
};

#define OPTION(level, name, where)                                                                                     \
	{                                                                                                              \
		level, name, #name, where                                                                              \
	}

static const struct option_name others[] = {
	/* What inet-mcast.c has found. */
	OPTION(SOL_IP, MCAST_JOIN_GROUP, FOR_NOBODY),
	OPTION(SOL_IP, MCAST_MSFILTER, FOR_NOBODY),
	OPTION(SOL_IPV6, MCAST_JOIN_GROUP, FOR_NOBODY),
	OPTION(SOL_IPV6, MCAST_MSFILTER, FOR_NOBODY),
	OPTION(SOL_SOCKET, SO_INCOMING_CPU, FOR_UNCONNECTED_TCP),
	OPTION(SOL_IP, IP_OPTIONS, FOR_ANY),
	OPTION(SOL_IP, IP_RECVOPTS, FOR_ANY),
	OPTION(SOL_IP, IP_RETOPTS, FOR_ANY),
	OPTION(SOL_IP, IP_MTU_DISCOVER, FOR_ANY),
	OPTION(SOL_IP, IP_RECVERR, FOR_ANY),
	OPTION(SOL_IP, IP_RECVERR_RFC4884, FOR_ANY),
	/* Of an IPv6 socket it is another option than IPV6_RECVPKTINFO, which takes the field. */
	OPTION(SOL_IP, IP_PKTINFO, FOR_V6),
	OPTION(SOL_IP, IP_RECVTTL, FOR_ANY),
	OPTION(SOL_IP, IP_RECVTOS, FOR_ANY),
	OPTION(SOL_IP, IP_PASSSEC, FOR_ANY),
	OPTION(SOL_IP, IP_TRANSPARENT, FOR_ANY),
	OPTION(SOL_IP, IP_ORIGDSTADDR, FOR_ANY),
	OPTION(SOL_IP, IP_MINTTL, FOR_ANY),
	OPTION(SOL_IP, IP_CHECKSUM, FOR_ANY),
	OPTION(SOL_IP, IP_BIND_ADDRESS_NO_PORT, FOR_ANY),
	OPTION(SOL_IP, IP_RECVFRAGSIZE, FOR_ANY),
	OPTION(SOL_IP, IP_MULTICAST_IF, FOR_UDP),
	OPTION(SOL_IP, IP_MULTICAST_TTL, FOR_UDP),
	OPTION(SOL_IP, IP_MULTICAST_LOOP, FOR_UDP),
	OPTION(SOL_IP, IP_MULTICAST_ALL, FOR_UDP),
	OPTION(SOL_IP, IP_UNICAST_IF, FOR_ANY),
	OPTION(SOL_IP, IP_LOCAL_PORT_RANGE_, FOR_ANY),
	OPTION(SOL_IPV6, IPV6_UNICAST_HOPS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_MULTICAST_IF, FOR_UDP),
	OPTION(SOL_IPV6, IPV6_MULTICAST_HOPS, FOR_UDP),
	OPTION(SOL_IPV6, IPV6_MULTICAST_LOOP, FOR_UDP),
	OPTION(SOL_IPV6, IPV6_MULTICAST_ALL, FOR_UDP),
	OPTION(SOL_IPV6, IPV6_MTU_DISCOVER, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVERR, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVERR_RFC4884, FOR_V6),
	OPTION(SOL_IPV6, IPV6_2292PKTINFO, FOR_V6),
	OPTION(SOL_IPV6, IPV6_2292HOPOPTS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_2292DSTOPTS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_2292RTHDR, FOR_V6),
	OPTION(SOL_IPV6, IPV6_2292HOPLIMIT, FOR_V6),
	OPTION(SOL_IPV6, IPV6_FLOWINFO_, FOR_V6),
	OPTION(SOL_IPV6, IPV6_FLOWINFO_SEND_, FOR_V6),
	OPTION(SOL_IPV6, IPV6_ROUTER_ALERT_ISOLATE, FOR_V6),
	OPTION(SOL_IPV6, IPV6_TRANSPARENT, FOR_V6),
	OPTION(SOL_IPV6, IPV6_FREEBIND, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVHOPLIMIT, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVRTHDR, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVHOPOPTS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVDSTOPTS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVPATHMTU, FOR_V6),
	OPTION(SOL_IPV6, IPV6_DONTFRAG, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVTCLASS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_TCLASS, FOR_V6),
	OPTION(SOL_IPV6, IPV6_AUTOFLOWLABEL, FOR_V6),
	OPTION(SOL_IPV6, IPV6_ADDR_PREFERENCES, FOR_V6),
	OPTION(SOL_IPV6, IPV6_MINHOPCOUNT, FOR_V6),
	OPTION(SOL_IPV6, IPV6_ORIGDSTADDR, FOR_V6),
	OPTION(SOL_IPV6, IPV6_UNICAST_IF, FOR_V6),
	OPTION(SOL_IPV6, IPV6_RECVFRAGSIZE, FOR_V6),
	OPTION(SOL_IP, IP_ROUTER_ALERT, FOR_RAW),
	OPTION(SOL_IPV6, IPV6_CHECKSUM, FOR_RAW),
	OPTION(SOL_IPV6, IPV6_HDRINCL, FOR_RAW),
	OPTION(SOL_TCP, TCP_MAXSEG, FOR_UNCONNECTED_TCP),
	OPTION(SOL_TCP, TCP_WINDOW_CLAMP, FOR_UNCONNECTED_TCP),
	OPTION(SOL_TCP, TCP_FASTOPEN, FOR_UNCONNECTED_TCP),
	OPTION(SOL_TCP, TCP_FASTOPEN_CONNECT, FOR_UNCONNECTED_TCP),
	OPTION(SOL_TCP, TCP_FASTOPEN_NO_COOKIE_, FOR_UNCONNECTED_TCP),
	OPTION(SOL_TCP, TCP_SAVE_SYN, FOR_UNCONNECTED_TCP),
	OPTION(SOL_TCP, TCP_SYNCNT, FOR_TCP),
	OPTION(SOL_TCP, TCP_LINGER2, FOR_TCP),
	OPTION(SOL_TCP, TCP_DEFER_ACCEPT, FOR_TCP),
	OPTION(SOL_TCP, TCP_CONGESTION, FOR_TCP),
	OPTION(SOL_TCP, TCP_USER_TIMEOUT, FOR_TCP),
	OPTION(SOL_TCP, TCP_NOTSENT_LOWAT, FOR_TCP),
	OPTION(SOL_TCP, TCP_THIN_LINEAR_TIMEOUTS, FOR_TCP),
	OPTION(SOL_TCP, TCP_INQ_, FOR_TCP),
	OPTION(SOL_TCP, TCP_TX_DELAY_, FOR_TCP),
	OPTION(SOL_TCP, TCP_RTO_MAX_MS_, FOR_TCP),
	OPTION(SOL_TCP, TCP_RTO_MIN_US_, FOR_TCP),
	OPTION(SOL_TCP, TCP_DELACK_MAX_US_, FOR_TCP),
	OPTION(SOL_UDP, UDP_ENCAP, FOR_UDP),
	OPTION(SOL_UDP, UDP_NO_CHECK6_TX, FOR_UDP),
	OPTION(SOL_UDP, UDP_NO_CHECK6_RX, FOR_UDP),
	OPTION(SOL_UDP, UDP_SEGMENT, FOR_UDP),
	OPTION(SOL_UDP, UDP_GRO, FOR_UDP),
};

/* Fields of mainline's messages. */
enum part { PART_IP, PART_TCP, PART_RAW };

struct named_option {
	struct option_name option;
	enum part part;
	bool is_bool, late;
	size_t has, value;
};

#define IP_FIELD(level, name, where, is_bool, field)                                                                   \
	{                                                                                                              \
		OPTION(level, name, where), PART_IP, is_bool, false, offsetof(IpOptsEntry, has_##field),               \
			offsetof(IpOptsEntry, field)                                                                   \
	}
#define TCP_FIELD(name, is_bool, late, field)                                                                          \
	{                                                                                                              \
		OPTION(SOL_TCP, name, FOR_TCP), PART_TCP, is_bool, late, offsetof(TcpOptsEntry, has_##field),          \
			offsetof(TcpOptsEntry, field)                                                                  \
	}

#define RAW_FIELD(name, field)                                                                                         \
	{                                                                                                              \
		OPTION(SOL_IP, name, FOR_RAW), PART_RAW, true, false, offsetof(IpOptsRawEntry, has_##field),           \
			offsetof(IpOptsRawEntry, field)                                                                \
	}

static const struct named_option named[] = {
	RAW_FIELD(IP_HDRINCL, hdrincl),
	RAW_FIELD(IP_NODEFRAG, nodefrag),
	IP_FIELD(SOL_IP, IP_FREEBIND, FOR_ANY, true, freebind),
	IP_FIELD(SOL_IP, IP_PKTINFO, FOR_ANY, true, pktinfo),
	IP_FIELD(SOL_IPV6, IPV6_RECVPKTINFO, FOR_V6, true, pktinfo),
	IP_FIELD(SOL_IP, IP_TOS, FOR_ANY, false, tos),
	IP_FIELD(SOL_IP, IP_TTL, FOR_ANY, false, ttl),
	TCP_FIELD(TCP_CORK, true, true, cork),
	TCP_FIELD(TCP_NODELAY, true, true, nodelay),
	TCP_FIELD(TCP_KEEPCNT, false, false, keepcnt),
	TCP_FIELD(TCP_KEEPIDLE, false, false, keepidle),
	TCP_FIELD(TCP_KEEPINTVL, false, false, keepintvl),
};

static bool concerns(const struct option_name *option, const InetSkEntry *entry)
{
	switch (option->where) {
	case FOR_NOBODY:
		return false;
	case FOR_V6:
		return entry->family == AF_INET6;
	case FOR_TCP:
		return inet_is_tcp(entry);
	case FOR_UNCONNECTED_TCP:
		return inet_is_tcp(entry) && !inet_is_connection(entry);
	case FOR_UDP:
		return !inet_is_tcp(entry);
	case FOR_RAW:
		return entry->type == SOCK_RAW;
	default:
		return true;
	}
}

/* For IPv6 there are two of some. */
static bool is_eclipsed(const struct named_option *option, const InetSkEntry *entry)
{
	return entry->family == AF_INET6 && option->option.level == SOL_IP && option->option.name == IP_PKTINFO;
}

struct option_value {
	socklen_t n;
	char bytes[VALUE_MAX];
};

/* False: this kernel, or this kind of socket, has no such option. */
static bool get(int fd, const struct option_name *option, struct option_value *ret)
{
	memset(ret->bytes, 0, sizeof(ret->bytes));
	ret->n = sizeof(ret->bytes);
	return !getsockopt(fd, option->level, option->name, ret->bytes, &ret->n);
}

static bool differs(int fd, int fresh, const struct option_name *option, struct option_value *ret)
{
	struct option_value initial;

	if (!get(fd, option, ret) || !get(fresh, option, &initial))
		return false;
	return ret->n != initial.n || memcmp(ret->bytes, initial.bytes, ret->n);
}

/* --- dump ------------------------------------------------------------------ */

static void *part_of(const InetSkEntry *entry, enum part part)
{
	if (part == PART_RAW)
		return entry->ip_opts ? entry->ip_opts->raw : NULL;
	return part == PART_IP ? (void *)entry->ip_opts : (void *)entry->tcp_opts;
}

static void dump_named(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	InetSkEntry *entry = desc->entry->isk;

	entry->ip_opts = model_new(ctx->model, IpOptsEntry, ip_opts_entry__init);
	if (entry->type == SOCK_RAW)
		entry->ip_opts->raw = model_new(ctx->model, IpOptsRawEntry, ip_opts_raw_entry__init);
	if (inet_is_tcp(entry))
		entry->tcp_opts = model_new(ctx->model, TcpOptsEntry, tcp_opts_entry__init);
	for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
		char *part = part_of(entry, named[i].part);
		struct option_value value;
		uint32_t number = 0;

		if (!concerns(&named[i].option, entry) || is_eclipsed(&named[i], entry) ||
		    !differs(desc->fd, fresh, &named[i].option, &value))
			continue;
		memcpy(&number, value.bytes, min_u64(value.n, sizeof(number)));
		*(protobuf_c_boolean *)(part + named[i].has) = true;
		if (named[i].is_bool)
			*(protobuf_c_boolean *)(part + named[i].value) = number != 0;
		else
			*(uint32_t *)(part + named[i].value) = number;
	}
}

static void dump_others(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	InetSkEntry *entry = desc->entry->isk;

	entry->options = arena_array(ctx->model->arena, InetOptionEntry *, ARRAY_SIZE(others));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct option_value value;
		InetOptionEntry *option;

		if (!concerns(&others[i], entry) || !differs(desc->fd, fresh, &others[i], &value))
			continue;
		option = model_new(ctx->model, InetOptionEntry, inet_option_entry__init);
		option->level = others[i].level;
		option->name = others[i].name;
		option->value.data = arena_memdup(ctx->model->arena, value.bytes, value.n);
		option->value.len = value.n;
		entry->options[entry->n_options++] = option;
	}
}

static void refuse_unsaved(struct files_dump *ctx, const struct file_desc *desc)
{
	const InetSkEntry *entry = desc->entry->isk;
	const struct option_name ulp = OPTION(SOL_TCP, TCP_ULP, FOR_TCP), cork = OPTION(SOL_UDP, UDP_CORK, FOR_UDP);
	struct option_value value;

	if (concerns(&ulp, entry) && get(desc->fd, &ulp, &value) && value.n && value.bytes[0])
		refuse(ctx->refusals,
		       "%s: TCP socket with the protocol '%.16s' on top of it (TCP_ULP), whose keys the kernel keeps: "
		       "not "
		       "supported; close it before the dump",
		       desc->link, value.bytes);
	if (concerns(&cork, entry) && get(desc->fd, &cork, &value) && value.bytes[0])
		refuse_passing(ctx->refusals,
			       "%s: UDP socket with a datagram half written (UDP_CORK): not supported; uncork it "
			       "before the dump",
			       desc->link);
}

int inet_opts_dump(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	InetSkEntry *entry = desc->entry->isk;
	const struct option_name v6only = OPTION(SOL_IPV6, IPV6_V6ONLY, FOR_V6);
	struct option_value value;

	dump_named(ctx, desc, fresh);
	dump_others(ctx, desc, fresh);
	/* A raw socket has a number from the start, and may not choose any more. */
	if (entry->type != SOCK_RAW && concerns(&v6only, entry) && get(desc->fd, &v6only, &value)) {
		entry->has_v6only = true;
		entry->v6only = value.bytes[0] != 0;
	}
	if (entry->type == SOCK_RAW)
		inet_raw_dump_opts(ctx, desc, fresh);
	refuse_unsaved(ctx, desc);
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

static const struct option_name *find_other(const InetOptionEntry *wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if ((uint32_t)others[i].level == wanted->level && (uint32_t)others[i].name == wanted->name)
			return &others[i];
	return NULL;
}

int inet_opts_validate(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_options; i++) {
		const InetOptionEntry *option = entry->options[i];

		if (!find_other(option) || option->value.len > VALUE_MAX_IMAGE)
			return fail(EINVAL, "option %" PRIu32 " of level %" PRIu32 " with a value of %zu bytes",
				    option->name, option->level, option->value.len);
	}
	return 0;
}

static int set(int fd, const struct option_name *option, const void *value, socklen_t n)
{
	if (setsockopt(fd, option->level, option->name, value, n))
		return fail_errno("cannot set option %s of a socket", option->text);
	return 0;
}

static int restore_named(const InetSkEntry *entry, int fd, bool late)
{
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(named) && !err; i++) {
		const char *part = part_of(entry, named[i].part);
		int value;

		if (named[i].late != late || !part || !concerns(&named[i].option, entry) ||
		    is_eclipsed(&named[i], entry) || !*(const protobuf_c_boolean *)(part + named[i].has))
			continue;
		value = named[i].is_bool ? *(const protobuf_c_boolean *)(part + named[i].value) != 0
					 : *(const int *)(part + named[i].value);
		err = set(fd, &named[i].option, &value, sizeof(value));
	}
	return err;
}

/* Where images of older writers have the intervals of keepalive. */
static int restore_old_keepalive(const SkOptsEntry *opts, int fd)
{
	const struct option_name cnt = OPTION(SOL_TCP, TCP_KEEPCNT, FOR_TCP),
				 idle = OPTION(SOL_TCP, TCP_KEEPIDLE, FOR_TCP),
				 intvl = OPTION(SOL_TCP, TCP_KEEPINTVL, FOR_TCP);
	int err = 0;

	if (opts->has_tcp_keepcnt)
		err = set(fd, &cnt, &opts->tcp_keepcnt, sizeof(opts->tcp_keepcnt));
	if (!err && opts->has_tcp_keepidle)
		err = set(fd, &idle, &opts->tcp_keepidle, sizeof(opts->tcp_keepidle));
	if (!err && opts->has_tcp_keepintvl)
		err = set(fd, &intvl, &opts->tcp_keepintvl, sizeof(opts->tcp_keepintvl));
	return err;
}

int inet_opts_restore(const InetSkEntry *entry, int fd)
{
	const struct option_name v6only = OPTION(SOL_IPV6, IPV6_V6ONLY, FOR_V6);
	const int only = entry->v6only;
	int err = 0;

	if (entry->has_v6only && entry->family == AF_INET6 && entry->type != SOCK_RAW)
		err = set(fd, &v6only, &only, sizeof(only));
	if (!err && inet_is_tcp(entry))
		err = restore_old_keepalive(entry->opts, fd);
	err = err ?: restore_named(entry, fd, false);
	err = err ?: inet_raw_restore_opts(entry, fd);
	for (size_t i = 0; i < entry->n_options && !err; i++) {
		const InetOptionEntry *option = entry->options[i];

		err = set(fd, find_other(option), option->value.data, option->value.len);
	}
	return err;
}

int inet_opts_restore_late(const InetSkEntry *entry, int fd)
{
	return restore_named(entry, fd, true);
}
