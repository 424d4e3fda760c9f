/*
 * Raw sockets, raw(7), over IPv4 and IPv6.
 *
 * The kernel keeps, besides what every internet socket has: whether the task writes headers itself, which messages of ICMP
 * it wants. Unlike a port, the protocol stands where getsockname(2) has the port, and getpeername(2) knows no peer whose
 * port is 0. So the peer is read from /proc/net/raw and raw6.
 *
 * What was not received is lost, as the network may lose any packet; a warning says so. Lost: shutdown(2) for
 * writing alone; that a socket routes multicast (MRT_INIT); IPV6_ROUTER_ALERT, and IP_ROUTER_ALERT on kernels that do not show it.
 */
#include <inttypes.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "files/inet-dump.h"
#include "files/inet-sk.h"
#include "kernel/proc-scan.h"

#define FILTER_MAX_WORDS 8

/* --- /proc/net/raw ------------------------------------------------------------------ */

/* So many hexadecimal digits, and the character behind them. */
static const char *parse_hex(const char *p, int digits, char behind, uint32_t *ret)
{
	uint64_t value = 0;

	for (int i = 0; i < digits; i++) {
		const char *all = "0123456789ABCDEF", *digit = p[i] ? strchr(all, p[i]) : NULL;

		if (!digit)
			return NULL;
		value = value << 4 | (uint64_t)(digit - all);
	}
	*ret = (uint32_t)value;
	return !behind ? p + digits : p[digits] == behind ? p + digits + 1 : NULL;
}

/* Words as they lie in memory, and a port. */
static const char *parse_addr(const char *p, size_t n_words, uint32_t *words, uint32_t *ret_port)
{
	for (size_t i = 0; i < n_words && p; i++)
		p = parse_hex(p, 8, i + 1 == n_words ? ':' : '\0', &words[i]);
	return p ? parse_hex(p, 4, ' ', ret_port) : NULL;
}

static const char *skip_word(const char *p)
{
	p = skip_blanks(p);
	while (*p && *p != ' ' && *p != '\n')
		p++;
	return p;
}

bool inet_parse_raw(const char *line, size_t n_words, struct inet_raw *ret)
{
	const char *p = strchr(line, ':');
	uint32_t src[4], src_port;

	p = p && p[1] == ' ' ? parse_addr(skip_blanks(p + 1), n_words, src, &src_port) : NULL;
	p = p ? parse_addr(skip_blanks(p), n_words, ret->dst, &ret->dst_port) : NULL;
	p = p ? parse_hex(skip_blanks(p), 2, ' ', &ret->state) : NULL;
	if (!p)
		return false;
	/* Queues, timer, retransmissions, owner, timeout. */
	for (int i = 0; i < 5; i++)
		p = skip_word(p);
	return scan_number(skip_blanks(p), 10, &ret->ino) != NULL;
}

int inet_find_line(const struct file_desc *desc, const char *table, struct inet_raw *ret)
{
	const InetSkEntry *entry = desc->entry->isk;
	auto_free char *text = NULL;
	char name[16];
	int err;

	snprintf(name, sizeof(name), "net/%s%s", table, entry->family == AF_INET ? "" : "6");
	err = proc_read_file(desc->pid, name, &text, NULL);
	for (const char *line = err ? NULL : text; line && *line; line = next_line(line))
		if (inet_parse_raw(line, entry->n_dst_addr, ret) && ret->ino == desc->st.st_ino)
			return 1;
	return err;
}

/* --- dump ------------------------------------------------------------------------ */

static void dump_filter(struct files_dump *ctx, int fd, int fresh, InetSkEntry *entry)
{
	const bool v6 = entry->family == AF_INET6;
	const int level = v6 ? SOL_ICMPV6 : SOL_RAW, name = v6 ? ICMPV6_FILTER : ICMP_FILTER;
	uint32_t filter[FILTER_MAX_WORDS] = { 0 }, initial[FILTER_MAX_WORDS] = { 0 };
	socklen_t bytes = sizeof(filter), initial_bytes = sizeof(initial);

	/* Only of sockets for ICMP. */
	if (getsockopt(fd, level, name, filter, &bytes) || getsockopt(fresh, level, name, initial, &initial_bytes) ||
	    !memcmp(filter, initial, sizeof(filter)))
		return;
	entry->ip_opts->raw->icmpv_filter = arena_memdup(ctx->model->arena, filter, bytes);
	entry->ip_opts->raw->n_icmpv_filter = bytes / sizeof(*filter);
}

void inet_raw_dump_opts(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	dump_filter(ctx, desc->fd, fresh, desc->entry->isk);
}

int inet_raw_plan(struct files_dump *ctx, const struct file_desc *desc)
{
	InetSkEntry *entry = desc->entry->isk;
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN | POLLRDHUP };
	struct inet_raw raw;
	/* One that never was connected or bound may be missing. */
	int found = inet_find_line(desc, "raw", &raw);

	if (found < 0)
		return found;
	if (found && raw.state == INET_ESTABLISHED) {
		entry->state = INET_ESTABLISHED;
		entry->dst_port = raw.dst_port;
		memcpy(entry->dst_addr, raw.dst, entry->n_dst_addr * sizeof(*raw.dst));
	}
	if (poll(&socket, 1, 0) <= 0)
		return 0;
	if (socket.revents & POLLRDHUP) {
		entry->has_shutdown = true;
		entry->shutdown = socket.revents & POLLHUP ? INET_SHUT_RD | INET_SHUT_WR : INET_SHUT_RD;
	} else if (socket.revents & POLLIN) {
		pr_warn("%s: packets wait to be received at a raw socket: they are lost, as the network may lose any",
			desc->link);
	}
	return 0;
}

/* --- restore --------------------------------------------------------------------- */

int inet_raw_validate(const InetSkEntry *entry)
{
	const IpOptsRawEntry *raw = entry->ip_opts ? entry->ip_opts->raw : NULL;

	if (raw && raw->n_icmpv_filter > FILTER_MAX_WORDS)
		return fail(EINVAL, "raw socket: filter of %zu words", raw->n_icmpv_filter);
	return 0;
}

int inet_raw_restore_opts(const InetSkEntry *entry, int fd)
{
	const IpOptsRawEntry *raw = entry->ip_opts ? entry->ip_opts->raw : NULL;
	const bool v6 = entry->family == AF_INET6;

	if (raw && raw->n_icmpv_filter &&
	    setsockopt(fd, v6 ? SOL_ICMPV6 : SOL_RAW, v6 ? ICMPV6_FILTER : ICMP_FILTER, raw->icmpv_filter,
		       raw->n_icmpv_filter * sizeof(*raw->icmpv_filter)))
		return fail_errno("cannot set the filter of a raw socket");
	return 0;
}
