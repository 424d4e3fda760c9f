/*
 * TCP sockets that are connecting: a SYN was sent, and no answer has come.
 *
 * The kernel keeps, besides what a closed socket has: addresses, the number with which the sequence begins, how often the SYN
 * was sent, and when it is the next time. /proc/net/tcp shows the address, repair mode the number as that of the send
 * queue, the SYN counted.
 *
 * They are saved and locked like connections (tcp-dump.c), whether the other end is in the tree or not, for an
 * answer in the meantime would make a connection of it that nobody knows of. Restore binds them with the other
 * connections, gives them their number, by which the other end takes the next SYN for the same as before, and connects
 * when everything is in place that shows in a SYN. The lock drops the first, so the next one, a second later, is
 * the first to get out. A task that waits in connect(2) calls it again and goes on waiting.
 *
 * Lost: how long it was tried already. Refused: data in the SYN (TCP Fast Open).
 */
#include <inttypes.h>
#include <linux/tcp.h>
#include <string.h>

#include "files/tcp.h"
#include "mem/guard-net.h"

/* TCP_MSS_DEFAULT of the kernel, and the same of IPv6: what is there unless TCP_MAXSEG was set. */
#define MSS_DEFAULT_V4 536
#define MSS_DEFAULT_V6 1220

/* getpeername(2) knows nobody yet. */
static int read_peer(const struct files_dump *ctx, const struct file_desc *desc)
{
	InetSkEntry *entry = desc->entry->isk;
	struct inet_raw line;
	int found = inet_find_line(desc, "tcp", &line);

	/* A tree that runs may close it meanwhile. */
	if (found < 0)
		return found;
	if (!found || line.state == INET_CLOSE) {
		if (ctx->inodes->passive)
			return 0;
		pr_warn("%s: a TCP connection has ended since it was looked at", desc->link);
		return -ERESTART;
	}
	entry->dst_port = line.dst_port;
	memcpy(entry->dst_addr, line.dst, entry->n_dst_addr * sizeof(*line.dst));
	return 0;
}

int tcp_connecting_plan(struct files_dump *ctx, const struct file_desc *desc)
{
	struct tcp_info info = { .tcpi_unacked = 1 };
	socklen_t bytes = sizeof(info);

	/* Only the SYN may be under way; with a deferred connect not even that. */
	if (getsockopt(desc->fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) || info.tcpi_unacked != 1 ||
	    info.tcpi_bytes_sent || info.tcpi_notsent_bytes)
		refuse_passing(ctx->refusals,
			       "%s: TCP connection that is being made with data in its first segment (TCP Fast Open): "
			       "not supported; wait until it is established, or leave it unconnected with "
			       "--skip-in-flight",
			       desc->link);
	return read_peer(ctx, desc);
}

/* --- restore ---------------------------------------------------------------- */

int tcp_connecting_validate(const TcpStreamEntry *stream)
{
	if (stream->inq_len || stream->outq_len)
		return fail(EINVAL, "TCP connection in state SYN_SENT with %" PRIu32 " and %" PRIu32 " bytes queued",
			    stream->inq_len, stream->outq_len);
	return 0;
}

static int set_option(int fd, int name, uint32_t value)
{
	return setsockopt(fd, IPPROTO_TCP, name, &value, sizeof(value)) ? fail_errno("TCP option %d", name) : 0;
}

int tcp_connecting_prepare(const struct inet_node *node)
{
	const TcpStreamEntry *stream = node->stream->entry;
	struct nft_flow flow;
	int err = set_option(node->fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);

	tcp_flow(node->entry, &flow);
	err = err ?: set_option(node->fd, TCP_QUEUE_SEQ, stream->outq_seq - 1);
	err = err ?: set_option(node->fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
	if (!err && stream->mss_clamp != (flow.v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4))
		err = set_option(node->fd, TCP_MAXSEG, stream->mss_clamp);
	return err;
}

/* Without waiting, whatever the socket's owner wants. */
static int connect_at_once(int fd, const union inet_addr *addr, socklen_t bytes)
{
	const int flags = fcntl(fd, F_GETFL);
	int err;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	err = connect(fd, &addr->sa, bytes) ? -errno : 0;
	if (fcntl(fd, F_SETFL, flags))
		return -errno;
	return err == -EINPROGRESS ? 0 : err;
}

static int start(const struct inet_node *node)
{
	char text[INET_ADDR_TEXT];
	union inet_addr addr;
	int bytes = inet_addr_dst(node->entry, &addr), err;

	if (bytes < 0)
		return bytes;
	err = tcp_repair_off(node->fd, node->entry->opts->reuseaddr, false);
	if (err)
		return fail(-err, "TCP_REPAIR");
	err = connect_at_once(node->fd, &addr, bytes);
	if (err)
		return fail(-err, "cannot connect from port %" PRIu32 " to %s", node->entry->src_port,
			    inet_addr_text(&addr, text));
	err = tcp_repair_on(node->fd);
	return err ? fail(-err, "TCP_REPAIR") : 0;
}

int tcp_connecting_start_all(const struct inet_restore *state)
{
	int err = 0;

	for (size_t i = 0; i < state->nodes.n && !err; i++) {
		const struct inet_node *node = &state->nodes.data[i];
		LOG_SCOPE("file", node->entry->id);

		if (node->stream && node->entry->state == INET_SYN_SENT)
			err = start(node);
	}
	return err;
}
