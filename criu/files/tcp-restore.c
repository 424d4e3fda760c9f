/*
 * TCP connections, made again.
 *
 * A socket in repair mode that is told its sequence numbers and then connects is a connection at once, and nothing
 * is sent. Order: all connections, with nothing queued; every receive queue; every send queue, with the FIN, if one
 * was sent; a FIN or its confirmation as if it came from the other end; what was never sent. So
 * whatever the kernel sends on its own meanwhile finds the other end of a connection within the tree, and everything in
 * it. All this in repair mode, but for what was never sent: that goes to a socket that resets the connection
 * if we die in that moment, which nobody outside gets to see through the lock.
 *
 * Repair mode ends when the tasks are sure to live, after the lock.
 */
#include <inttypes.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include "files/tcp.h"
#include "mem/guard-net.h"

#define WSCALE_MAX     14
#define MAXSEG_MIN     88 /* what TCP_MAXSEG takes */
#define MAXSEG_MAX     32767
#define STATE_TRIES    200
#define STATE_PAUSE_NS 5000000L

/* linux/tcp.h */
#define OPT_MSS	      2
#define OPT_WINDOW    3
#define OPT_SACK_PERM 4
#define OPT_TIMESTAMP 8

/* --- checking ----------------------------------------------------------------- */

static const struct tcp_stream_image *find_stream(const struct model *model, uint32_t ino)
{
	for (size_t i = 0; i < model->tcp_streams.n; i++)
		if (model->tcp_streams.data[i].ino == ino)
			return &model->tcp_streams.data[i];
	return NULL;
}

static int validate_stream(const TcpStreamEntry *stream)
{
	if (!stream->has_unsq_len || stream->unsq_len > stream->outq_len)
		return fail(EINVAL, "TCP connection with %" PRIu32 " of %" PRIu32 " bytes unsent", stream->unsq_len,
			    stream->outq_len);
	if (stream->snd_wscale > WSCALE_MAX || (stream->has_rcv_wscale && stream->rcv_wscale > WSCALE_MAX))
		return fail(EINVAL, "TCP connection with window scales %" PRIu32 " and %" PRIu32, stream->snd_wscale,
			    stream->rcv_wscale);
	if (!stream->mss_clamp || stream->mss_clamp > UINT16_MAX)
		return fail(EINVAL, "TCP connection with segments of %" PRIu32 " bytes", stream->mss_clamp);
	return 0;
}

int tcp_validate(const struct model *model, const InetSkEntry *entry, const struct options *options)
{
	const struct tcp_stream_image *image;
	int err;

	if (entry->state == INET_SYN_RECV || entry->state == INET_TIME_WAIT || entry->state > INET_CLOSING)
		return fail(EINVAL, "TCP connection in state %s", tcp_state_name(entry->state));
	if (model->inventory->has_tcp_close && model->inventory->tcp_close) {
		if (!options->tcp_close)
			return fail(EINVAL,
				    "TCP connections were left out by --tcp-close: restore needs that option, too");
		return 0;
	}
	if (options->tcp_close)
		return 0;
	if (!options->tcp_established)
		return fail(EINVAL, "there are TCP connections in the images: restore needs --tcp-established");
	image = find_stream(model, entry->ino);
	if (!image)
		return fail(EINVAL, "TCP connection without its tcp-stream-%" PRIx32 ".img", entry->ino);
	err = validate_stream(image->entry);
	return err || entry->state != INET_SYN_SENT ? err : tcp_connecting_validate(image->entry);
}

int tcp_find_streams(const struct model *model, struct inet_restore *state)
{
	struct hash by_ino = { 0 };

	for (size_t i = 0; i < model->tcp_streams.n; i++)
		hash_put(&by_ino, model->tcp_streams.data[i].ino, 0, &model->tcp_streams.data[i]);
	for (size_t i = 0; i < state->nodes.n; i++) {
		struct inet_node *node = &state->nodes.data[i];

		if (inet_is_connection(node->entry) && !state->closing)
			node->stream = hash_get(&by_ino, node->entry->ino, 0);
	}
	hash_free(&by_ino);
	return 0;
}

/* --- connecting ----------------------------------------------------------------- */

static int set_option(int fd, int name, uint32_t value)
{
	return setsockopt(fd, SOL_TCP, name, &value, sizeof(value)) ? fail_errno("TCP option %d", name) : 0;
}

static int set_seq(int fd, int queue, uint32_t seq)
{
	int err = set_option(fd, TCP_REPAIR_QUEUE, queue);

	return err ?: set_option(fd, TCP_QUEUE_SEQ, seq);
}

static int set_seqs(const struct inet_node *node)
{
	const TcpStreamEntry *stream = node->stream->entry;
	const uint32_t state = node->entry->state;
	int err = set_seq(node->fd, TCP_RECV_QUEUE, stream->inq_seq - stream->inq_len - tcp_fin_received(state));

	return err ?: set_seq(node->fd, TCP_SEND_QUEUE, stream->outq_seq - stream->outq_len - tcp_fin_sent(state));
}

static int set_agreed(const struct inet_node *node)
{
	const TcpStreamEntry *stream = node->stream->entry;
	struct tcp_repair_opt opts[4];
	size_t n = 0;

	opts[n++] = (struct tcp_repair_opt){ OPT_MSS, stream->mss_clamp };
	if (stream->opt_mask & TCPI_OPT_SACK)
		opts[n++] = (struct tcp_repair_opt){ OPT_SACK_PERM, 0 };
	if (stream->opt_mask & TCPI_OPT_WSCALE)
		opts[n++] = (struct tcp_repair_opt){ OPT_WINDOW, stream->snd_wscale | stream->rcv_wscale << 16 };
	if (stream->opt_mask & TCPI_OPT_TIMESTAMPS)
		opts[n++] = (struct tcp_repair_opt){ OPT_TIMESTAMP, 0 };
	if (setsockopt(node->fd, SOL_TCP, TCP_REPAIR_OPTIONS, opts, n * sizeof(*opts)))
		return fail_errno("TCP_REPAIR_OPTIONS");
	return stream->has_timestamp ? set_option(node->fd, TCP_TIMESTAMP, stream->timestamp) : 0;
}

/*
 * The size of segments is found when the connection is made, from the path and the largest that the other end takes. That is
 * known only afterwards, by TCP_REPAIR_OPTIONS, and nothing but a change of the path would have it found again: until then all
 * segments would be of 536 bytes. So the largest is limited for the connect, and where that limit is too
 * low, setting options of IP has it found again.
 */
static int limit_segments(const struct inet_node *node)
{
	const uint32_t most = node->stream->entry->mss_clamp;

	return most < MAXSEG_MIN ? 0 : set_option(node->fd, TCP_MAXSEG, min_u64(most, MAXSEG_MAX));
}

/*
 * connect(2) chooses a scale for our window, which nothing takes back if none was agreed: every window would reach the other
 * end as a thousandth of what it is. None is chosen for windows that need none.
 */
static int limit_window(const struct inet_node *node)
{
	return node->stream->entry->opt_mask & TCPI_OPT_WSCALE ? 0 : set_option(node->fd, TCP_WINDOW_CLAMP, UINT16_MAX);
}

static bool has_ip_options(const InetSkEntry *entry)
{
	for (size_t i = 0; i < entry->n_options; i++)
		if (entry->options[i]->level == SOL_IP && entry->options[i]->name == IP_OPTIONS)
			return true;
	return false;
}

static int find_segments(const struct inet_node *node)
{
	int err = set_option(node->fd, TCP_MAXSEG, 0);

	if (!err && node->entry->family == AF_INET && !has_ip_options(node->entry) &&
	    setsockopt(node->fd, SOL_IP, IP_OPTIONS, NULL, 0))
		err = fail_errno("IP_OPTIONS");
	return err;
}

int tcp_connect(struct inet_node *node)
{
	char text[INET_ADDR_TEXT];
	union inet_addr addr;
	int bytes, err = tcp_repair_on(node->fd);

	if (err)
		return fail(-err, "cannot make a TCP connection: TCP_REPAIR");
	bytes = inet_addr_src(node->entry, &addr);
	if (bytes < 0)
		return bytes;
	if (bind(node->fd, &addr.sa, bytes))
		return fail_errno("cannot bind a TCP connection to %s", inet_addr_text(&addr, text));
	if (node->entry->state == INET_SYN_SENT)
		return tcp_connecting_prepare(node);
	err = set_seqs(node);
	err = err ?: limit_segments(node);
	err = err ?: limit_window(node);
	if (err)
		return err;
	bytes = inet_addr_dst(node->entry, &addr);
	if (bytes < 0)
		return bytes;
	if (connect(node->fd, &addr.sa, bytes))
		return fail_errno("cannot make a TCP connection from port %" PRIu32 " to %s", node->entry->src_port,
				  inet_addr_text(&addr, text));
	err = set_agreed(node);
	return err ?: find_segments(node);
}

/* --- the queues ------------------------------------------------------------------- */

static int set_buffers(int fd, int send_bytes, int receive_bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof(send_bytes)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof(receive_bytes)))
		return fail_errno("SO_SNDBUFFORCE, SO_RCVBUFFORCE");
	return 0;
}

/* In pieces, for which the kernel finds memory. */
static int put_bytes(int fd, const void *bytes, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t sent =
			send(fd, (const char *)bytes + done, min_u64(n - done, 32768), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return fail_errno("cannot put %zu bytes back into a queue of a TCP connection", n - done);
		done += sent;
	}
	return 0;
}

/*
 * Repair mode puts bytes into the queue and wakes nobody, so an epoll instance that was given the socket before would not
 * know of them. Setting the low-water mark looks whether that is reached; the right one comes later
 * (sock_opts_restore()), and is looked at as well.
 */
static int wake_readers(const struct inet_node *node)
{
	const int bytes = 1;

	if (node->stream->entry->inq_len && setsockopt(node->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)))
		return fail_errno("SO_RCVLOWAT");
	return 0;
}

/* Room for all of it. What can be received is limited again at once, or a full window would open. */
static int fill_received(const struct inet_node *node)
{
	const int most = INT_MAX / 2;
	int err = set_buffers(node->fd, most, most);

	err = err ?: set_option(node->fd, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
	err = err ?: put_bytes(node->fd, node->stream->inq, node->stream->entry->inq_len);
	err = err ?: set_buffers(node->fd, most, node->entry->opts->so_rcvbuf / 2);
	return err ?: wake_readers(node);
}

static int restore_window(const struct inet_node *node)
{
	const TcpStreamEntry *stream = node->stream->entry;
	const uint32_t fin = tcp_fin_received(node->entry->state);
	struct tcp_repair_window window = {
		.snd_wl1 = stream->snd_wl1,
		.snd_wnd = stream->snd_wnd,
		.max_window = stream->max_window,
		.rcv_wnd = stream->rcv_wnd,
		.rcv_wup = stream->rcv_wup,
	};

	if (!stream->has_rcv_wup)
		return 0;
	/* Before the FIN arrives once more nothing behind it can have been confirmed. */
	if (fin && window.rcv_wup == stream->inq_seq)
		window.rcv_wup--;
	if (setsockopt(node->fd, SOL_TCP, TCP_REPAIR_WINDOW, &window, sizeof(window)))
		return fail_errno("TCP_REPAIR_WINDOW");
	return 0;
}

static int shut_down(const struct inet_node *node)
{
	if (tcp_fin_sent(node->entry->state) && shutdown(node->fd, SHUT_WR))
		return fail_errno("TCP connection: shutdown");
	return 0;
}

/* A FIN behind bytes that were never sent was not sent either. */
static int fill_sent(const struct inet_node *node)
{
	const TcpStreamEntry *stream = node->stream->entry;
	int err = restore_window(node);

	err = err ?: set_option(node->fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
	err = err ?: put_bytes(node->fd, node->stream->outq, stream->outq_len - stream->unsq_len);
	if (!err && !stream->unsq_len && node->entry->state != INET_LAST_ACK)
		err = shut_down(node);
	return err ?: set_option(node->fd, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
}

/* --- what came from the other end ---------------------------------------------------- */

static uint32_t state_of(int fd)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &bytes) ? INET_CLOSE : info.tcpi_state;
}

/* Segments to ourselves are taken at once, unless the processor has much else to do. */
static int wait_state(const struct inet_node *node, uint32_t wanted)
{
	const struct timespec pause = { .tv_nsec = STATE_PAUSE_NS };

	for (int i = 0; i < STATE_TRIES; i++) {
		if (state_of(node->fd) == wanted)
			return 0;
		nanosleep(&pause, NULL);
	}
	return fail(ETIMEDOUT, "TCP connection: it is in state %s and should be in %s",
		    tcp_state_name(state_of(node->fd)), tcp_state_name(wanted));
}

static void fill_segment(const struct inet_node *node, struct tcp_segment *ret)
{
	const TcpStreamEntry *stream = node->stream->entry;
	const uint32_t state = node->entry->state;
	struct nft_flow flow;

	tcp_flow(node->entry, &flow);
	memset(ret, 0, sizeof(*ret));
	tcp_flow_back(&flow, &ret->flow);
	ret->fin = tcp_fin_received(state);
	ret->seq = stream->inq_seq - ret->fin;
	ret->ack = stream->outq_seq - stream->outq_len - (tcp_fin_sent(state) && state != INET_FIN_WAIT2);
	ret->window = min_u64(stream->snd_wnd >> stream->snd_wscale, UINT16_MAX);
}

static int receive_fin(const struct inet_node *node)
{
	const uint32_t state = node->entry->state;
	struct tcp_segment segment;
	int err;

	if (!tcp_fin_received(state) && state != INET_FIN_WAIT2)
		return 0;
	/* What was confirmed is known; what is not sent can't be. */
	fill_segment(node, &segment);
	err = tcp_segment_send(&segment);
	if (err)
		return err;
	if (state == INET_LAST_ACK)
		return wait_state(node, INET_CLOSE_WAIT);
	return wait_state(node, state == INET_CLOSING && node->stream->entry->unsq_len ? INET_CLOSE_WAIT : state);
}

/* --- what was never sent --------------------------------------------------------------- */

static int send_unsent(const struct inet_node *node)
{
	const TcpStreamEntry *stream = node->stream->entry;
	const struct linger reset = { .l_onoff = 1 }, close = { 0 };
	int err, on_err;

	if (!stream->unsq_len)
		return 0;
	if (setsockopt(node->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)))
		return fail_errno("SO_LINGER");
	err = tcp_repair_off(node->fd, true, false);
	if (err)
		return fail(-err, "TCP_REPAIR");
	err = put_bytes(node->fd, (const char *)node->stream->outq + stream->outq_len - stream->unsq_len,
			stream->unsq_len);
	on_err = tcp_repair_on(node->fd);
	if (on_err && !err)
		err = fail(-on_err, "TCP_REPAIR");
	if (!err && setsockopt(node->fd, SOL_SOCKET, SO_LINGER, &close, sizeof(close)))
		err = fail_errno("SO_LINGER");
	return err;
}

static int finish(const struct inet_node *node)
{
	int err = send_unsent(node);

	if (!err && (node->stream->entry->unsq_len || node->entry->state == INET_LAST_ACK)) {
		if (!node->stream->entry->unsq_len)
			err = set_option(node->fd, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
		err = err ?: shut_down(node);
	}
	if (!err && node->entry->has_shutdown && (node->entry->shutdown & INET_SHUT_RD) && shutdown(node->fd, SHUT_RD))
		err = fail_errno("TCP connection: shutdown");
	return err;
}

/* --- the whole ------------------------------------------------------------------------------ */

static int for_each_conn(struct inet_restore *state, int (*step)(const struct inet_node *node))
{
	int err = 0;

	for (size_t i = 0; i < state->nodes.n && !err; i++) {
		LOG_SCOPE("file", state->nodes.data[i].entry->id);
		if (state->nodes.data[i].stream && state->nodes.data[i].entry->state != INET_SYN_SENT)
			err = step(&state->nodes.data[i]);
	}
	return err;
}

static int tell_guard(struct files_restore *ctx)
{
	const struct inet_restore *state = ctx->state->inets;
	int *fds = arena_array(ctx->model->arena, int, state->nodes.n);
	bool *reuse = arena_array(ctx->model->arena, bool, state->nodes.n);
	size_t n = 0;

	for (size_t i = 0; i < state->nodes.n; i++) {
		if (!state->nodes.data[i].stream)
			continue;
		fds[n] = state->nodes.data[i].fd;
		reuse[n++] = state->nodes.data[i].entry->opts->reuseaddr;
	}
	return n ? guard_sockets(ctx->guard, fds, reuse, n, true) : 0;
}

int tcp_fill_all(struct files_restore *ctx)
{
	struct inet_restore *state = ctx->state->inets;
	int err = tell_guard(ctx);

	err = err ?: for_each_conn(state, fill_received);
	err = err ?: for_each_conn(state, fill_sent);
	err = err ?: for_each_conn(state, receive_fin);
	return err ?: for_each_conn(state, finish);
}
