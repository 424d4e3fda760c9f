/*
 * Internet sockets, saved. All of it is seen through our duplicate, but
 * which directions of a UDP socket are shut down (kernel/inet-diag.c).
 */
#include <inttypes.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "files/fown.h"
#include "files/inet-dump.h"
#include "files/inet-sk.h"
#include "files/sock-opts.h"
#include "files/tcp.h"
#include "files/udp.h"
#include "files/unix-sk.h"

struct inet_dump *inet_dump_state(struct files_dump *ctx)
{
	struct files_dump_state *state = files_dump_state(ctx);

	if (!state->inets)
		state->inets = arena_new_of(ctx->model->arena, struct inet_dump);
	return state->inets;
}

void inet_dump_free(struct files_dump_state *state)
{
	struct inet_dump *inets = state->inets;

	if (!inets)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(inets->lists); i++)
		VEC_FREE(&inets->lists[i]);
	hash_free(&inets->shut);
	VEC_FREE(&inets->groups);
	tcp_dump_free(inets);
}

bool inet_match(const struct file_desc *desc)
{
	int domain, type, proto;

	if (!S_ISSOCK(desc->st.st_mode))
		return false;
	domain = sock_option(desc->fd, SO_DOMAIN);
	type = sock_option(desc->fd, SO_TYPE);
	proto = sock_option(desc->fd, SO_PROTOCOL);
	return (domain == AF_INET || domain == AF_INET6) &&
	       ((type == SOCK_STREAM && proto == IPPROTO_TCP) || (type == SOCK_DGRAM && proto == IPPROTO_UDP) ||
		type == SOCK_RAW);
}

/* --- plan ------------------------------------------------------------------- */

static int netns_ino(int fd, ino_t *ret)
{
	auto_fd int ns = ioctl(fd, SIOCGSKNS);
	struct stat st;

	if (ns < 0 || fstat(ns, &st))
		return fail_errno("cannot tell the network namespace of a socket: SIOCGSKNS");
	*ret = st.st_ino;
	return 0;
}

static uint32_t state_of(const InetSkEntry *entry, int fd)
{
	struct tcp_info info = { .tcpi_state = INET_CLOSE };
	socklen_t bytes = sizeof(info);
	union inet_addr peer;
	socklen_t peer_bytes = sizeof(peer);

	if (!inet_is_tcp(entry))
		return getpeername(fd, &peer.sa, &peer_bytes) ? INET_CLOSE : INET_ESTABLISHED;
	return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &bytes) ? INET_CLOSE : info.tcpi_state;
}

static void fill_scope(struct files_dump *ctx, InetSkEntry *entry, const union inet_addr *addr)
{
	char name[IFNAMSIZ];

	if (addr->sa.sa_family == AF_INET6 && addr->v6.sin6_scope_id && if_indextoname(addr->v6.sin6_scope_id, name))
		entry->ifname = arena_strdup(ctx->model->arena, name);
}

static int fill_addresses(struct files_dump *ctx, InetSkEntry *entry, int fd)
{
	union inet_addr addr;
	socklen_t bytes = sizeof(addr);

	if (getsockname(fd, &addr.sa, &bytes))
		return fail_errno("getsockname");
	entry->src_port = inet_addr_port(&addr);
	entry->n_src_addr = inet_addr_words(ctx->model->arena, &addr, &entry->src_addr);
	fill_scope(ctx, entry, &addr);

	bytes = sizeof(addr);
	memset(&addr, 0, sizeof(addr));
	addr.sa.sa_family = entry->family;
	if (getpeername(fd, &addr.sa, &bytes) && errno != ENOTCONN)
		return fail_errno("getpeername");
	entry->dst_port = inet_addr_port(&addr);
	entry->n_dst_addr = inet_addr_words(ctx->model->arena, &addr, &entry->dst_addr);
	fill_scope(ctx, entry, &addr);
	return 0;
}

/* --- UDP ---------------------------------------------------------------------- */

/* A socket that is bound to nothing is not listed; poll shows how one without a way to send would look. */
static int fill_udp_shutdown(struct files_dump *ctx, const struct file_desc *desc)
{
	struct inet_dump *state = inet_dump_state(ctx);
	InetSkEntry *entry = desc->entry->isk;
	const size_t family = entry->family == AF_INET6;
	const struct sock_diag_inet *diag;

	if (!state->has_list[family]) {
		int err = sock_diag_udp(entry->family, &state->lists[family]);

		if (err)
			return err;
		state->has_list[family] = true;
		for (size_t i = 0; i < state->lists[family].n; i++)
			if (state->lists[family].data[i].ino)
				hash_put(&state->shut, state->lists[family].data[i].ino, 0,
					 &state->lists[family].data[i]);
	}
	diag = hash_get(&state->shut, desc->st.st_ino, 0);
	if (diag && diag->shutdown) {
		entry->has_shutdown = true;
		entry->shutdown = diag->shutdown & (INET_SHUT_RD | INET_SHUT_WR);
	}
	return 0;
}

/* --- TCP ---------------------------------------------------------------------- */

static int plan_listener(struct files_dump *ctx, const struct file_desc *desc)
{
	InetSkEntry *entry = desc->entry->isk;
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	if (getsockopt(desc->fd, SOL_TCP, TCP_INFO, &info, &bytes))
		return fail_errno("%s: TCP_INFO", desc->link);
	/* Of a listener: connections that wait, and how many may. */
	entry->backlog = info.tcpi_sacked;
	if (info.tcpi_unacked && !ctx->options->skip_in_flight)
		refuse_passing(ctx->refusals,
			       "%s: %" PRIu32 " TCP connections wait there to be accepted: have them accepted before "
			       "the dump, or leave them to be reset with --skip-in-flight",
			       desc->link, info.tcpi_unacked);
	return 0;
}

/* Closed: never connected, or a connection that has ended, of which an error or unread bytes may be left. */
static void plan_closed(struct files_dump *ctx, const struct file_desc *desc)
{
	struct pollfd socket = { .fd = desc->fd, .events = POLLIN | POLLRDHUP };
	int queued = 0;

	if (poll(&socket, 1, 0) < 0)
		return;
	if (socket.revents & POLLERR)
		refuse_passing(ctx->refusals,
			       "%s: TCP socket with an error pending: not supported; read it with SO_ERROR, or close "
			       "the socket",
			       desc->link);
	else if (!ioctl(desc->fd, SIOCINQ, &queued) && queued)
		refuse_passing(ctx->refusals,
			       "%s: TCP socket whose connection has ended, with %d bytes that were not read: not "
			       "supported; read them before the dump",
			       desc->link, queued);
	else if (socket.revents & POLLRDHUP)
		refuse_passing(ctx->refusals,
			       "%s: TCP socket whose connection has ended: not supported; close it before the dump",
			       desc->link);
}

static int plan_tcp(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	const InetSkEntry *entry = desc->entry->isk;

	switch (entry->state) {
	case INET_LISTEN:
		return plan_listener(ctx, desc);
	case INET_CLOSE:
		plan_closed(ctx, desc);
		return 0;
	default:
		return tcp_plan(ctx, desc, fresh);
	}
}

static int fill_entry(struct files_dump *ctx, const struct file_desc *desc)
{
	InetSkEntry *entry = desc->entry->isk;

	entry->id = desc->entry->id;
	entry->ino = desc->st.st_ino;
	entry->family = sock_option(desc->fd, SO_DOMAIN);
	entry->type = sock_option(desc->fd, SO_TYPE);
	entry->proto = sock_option(desc->fd, SO_PROTOCOL);
	entry->state = state_of(entry, desc->fd);
	entry->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	entry->has_uid = entry->has_gid = true;
	entry->uid = desc->st.st_uid;
	entry->gid = desc->st.st_gid;
	return fill_addresses(ctx, entry, desc->fd);
}

int inet_plan(struct files_dump *ctx, struct file_desc *desc)
{
	InetSkEntry *entry = model_new(ctx->model, InetSkEntry, inet_sk_entry__init);
	ino_t netns, own;
	int err, fresh;

	desc->entry->isk = entry;
	if (desc->in_flight)
		peek_guard_outdate(ctx->state->peek_guard);
	err = fill_entry(ctx, desc);
	fresh = err ? err : sock_fresh(ctx, desc->fd);
	if (fresh < 0)
		return fresh;
	err = netns_ino(desc->fd, &netns);
	err = err ?: netns_ino(fresh, &own);
	if (err)
		return err;
	if (netns != own) {
		refuse(ctx->refusals, "%s: internet socket of another network namespace than criu's: run criu inside",
		       desc->link);
		return 0;
	}
	if (inet_is_tcp(entry)) {
		err = plan_tcp(ctx, desc, fresh);
	} else if (entry->type == SOCK_RAW) {
		err = inet_raw_plan(ctx, desc);
	} else {
		udp_queue_plan(desc);
		err = fill_udp_shutdown(ctx, desc);
	}
	err = err ?: inet_opts_dump(ctx, desc, fresh);
	if (!err && !inet_is_tcp(entry))
		err = inet_mcast_dump(ctx, desc, &inet_dump_state(ctx)->groups, &inet_dump_state(ctx)->has_groups);
	err = err ?: sock_opts_dump(ctx, desc, &entry->opts);
	return err ? err : fown_dump(ctx, desc, &entry->fown);
}

int inet_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	return inet_is_connection(desc->entry->isk) ? tcp_resolve(ctx, desc) : 0;
}

int inet_dump_queue(struct files_dump *ctx, struct file_desc *desc)
{
	return udp_queue_dump(ctx, desc);
}
