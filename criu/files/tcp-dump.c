/*
 * TCP connections, saved.
 *
 * The kernel keeps: addresses, state, the bytes received and not read, the bytes sent and not confirmed, those not
 * yet sent, the sequence numbers of both directions, windows, and what was agreed
 * at the start (largest segment, window scale, timestamps, SACK). Repair mode (TCP_REPAIR) shows all of it.
 *
 * In repair mode the owner's calls fail, so it lasts for a few system calls, while the
 * guard holds on to our death (mem/guard-net.h). Between that and the kill a connection within the tree may still
 * move what was sent before; that both ends agree is checked, and they are
 * read again if not. A connection with somebody outside the tree is locked before it is read (net-lock.c).
 *
 * Lost: segments received out of order, which the other end has to keep until they are confirmed; what
 * the kernel has learned of the path (congestion window, round trip time); ECN.
 */
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "files/inet-dump.h"
#include "files/sock-opts.h"
#include "files/tcp.h"
#include "mem/guard-net.h"

#define READ_TRIES 50

const char *tcp_state_name(uint32_t state)
{
	static const char *const names[] = {
		[INET_ESTABLISHED] = "ESTABLISHED",
		[INET_SYN_SENT] = "SYN_SENT",
		[INET_SYN_RECV] = "SYN_RECV",
		[INET_FIN_WAIT1] = "FIN_WAIT1",
		[INET_FIN_WAIT2] = "FIN_WAIT2",
		[INET_TIME_WAIT] = "TIME_WAIT",
		[INET_CLOSE] = "CLOSE",
		[INET_CLOSE_WAIT] = "CLOSE_WAIT",
		[INET_LAST_ACK] = "LAST_ACK",
		[INET_LISTEN] = "LISTEN",
		[INET_CLOSING] = "CLOSING",
	};

	return state < ARRAY_SIZE(names) && names[state] ? names[state] : "unknown";
}

/* --- plan ------------------------------------------------------------------- */

static void refuse_connection(struct files_dump *ctx, const struct file_desc *desc)
{
	char from[INET_ADDR_TEXT], to[INET_ADDR_TEXT];
	const InetSkEntry *entry = desc->entry->isk;
	union inet_addr src, dst;

	if (inet_addr_src(entry, &src) < 0 || inet_addr_dst(entry, &dst) < 0)
		return refuse_failed(ctx->refusals);
	refuse(ctx->refusals,
	       "%s: TCP connection (%s) from %s to %s: keep it with --tcp-established, or let it end with --tcp-close",
	       desc->link, tcp_state_name(entry->state), inet_addr_text(&src, from), inet_addr_text(&dst, to));
}

static void refuse_in_flight(struct files_dump *ctx, const struct file_desc *desc)
{
	InetSkEntry *entry = desc->entry->isk;

	if (!ctx->options->skip_in_flight) {
		refuse_passing(ctx->refusals,
			       "%s: TCP connection that is not established yet (%s): wait, or leave it unconnected "
			       "with --skip-in-flight",
			       desc->link, tcp_state_name(entry->state));
		return;
	}
	entry->state = INET_CLOSE;
	entry->dst_port = 0;
	memset(entry->dst_addr, 0, entry->n_dst_addr * sizeof(*entry->dst_addr));
}

static void refuse_unreadable(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	struct pollfd socket = { .fd = desc->fd, .events = POLLPRI };
	int err = tcp_repair_on(fresh);

	err = err ?: tcp_repair_off(fresh, false, false);
	if (err)
		refuse(ctx->refusals,
		       "%s: TCP connection: it can't be read, TCP_REPAIR: %s; criu needs CAP_NET_ADMIN in the user "
		       "namespace "
		       "that its network belongs to",
		       desc->link, strerror(-err));
	if (poll(&socket, 1, 0) == 1 && (socket.revents & POLLPRI))
		refuse_passing(ctx->refusals,
			       "%s: TCP connection with urgent data (MSG_OOB) that was not received: not supported; "
			       "have it received before the dump",
			       desc->link);
	if (sock_option(desc->fd, SO_PEEK_OFF) >= 0)
		refuse(ctx->refusals, "%s: TCP connection with the option SO_PEEK_OFF: not supported; set it to -1",
		       desc->link);
}

/* Shut down for reading by its owner: no FIN has come, and yet there is an end. */
static void note_shut_reading(const struct file_desc *desc)
{
	struct pollfd socket = { .fd = desc->fd, .events = POLLRDHUP };
	InetSkEntry *entry = desc->entry->isk;

	if (tcp_fin_received(entry->state) || poll(&socket, 1, 0) != 1 || !(socket.revents & POLLRDHUP))
		return;
	entry->has_shutdown = true;
	entry->shutdown = SK_SHUTDOWN__READ;
}

static int add_conn(struct files_dump *ctx, const struct file_desc *desc)
{
	struct inet_dump *state = inet_dump_state(ctx);
	struct tcp_conn *conn = arena_new_of(ctx->model->arena, struct tcp_conn);

	conn->entry = desc->entry;
	conn->link = arena_strdup(ctx->model->arena, desc->link);
	conn->pid = desc->pid;
	conn->target_fd = desc->target_fd;
	conn->reuse = sock_option(desc->fd, SO_REUSEADDR) == 1;
	tcp_flow(desc->entry->isk, &conn->flow);
	conn->fd = fcntl(desc->fd, F_DUPFD_CLOEXEC, 0);
	if (conn->fd < 0)
		return fail_errno("cannot duplicate the descriptor of a TCP connection");
	VEC_PUSH(&state->conns, conn);
	tcp_flows_add(&state->flows, &conn->flow, conn);
	return 0;
}

int tcp_plan(struct files_dump *ctx, const struct file_desc *desc, int fresh)
{
	const InetSkEntry *entry = desc->entry->isk;
	int err;

	if (entry->state == INET_SYN_RECV || (entry->state == INET_SYN_SENT && ctx->options->skip_in_flight)) {
		refuse_in_flight(ctx, desc);
		return 0;
	}
	if (ctx->options->tcp_close)
		return 0;
	err = entry->state == INET_SYN_SENT ? tcp_connecting_plan(ctx, desc) : 0;
	if (err)
		return err;
	if (!ctx->options->tcp_established) {
		refuse_connection(ctx, desc);
		return 0;
	}
	refuse_unreadable(ctx, desc, fresh);
	note_shut_reading(desc);
	return add_conn(ctx, desc);
}

int tcp_resolve(struct files_dump *ctx, const struct file_desc *desc)
{
	struct inet_dump *state = inet_dump_state(ctx);
	struct nft_flow back;
	struct tcp_conn *conn;
	int err;

	tcp_flow(desc->entry->isk, &back);
	conn = tcp_flows_get(&state->flows, &back);
	if (!conn)
		return 0;
	tcp_flow_back(&conn->flow, &back);
	/* Who is connecting has no other end yet, and the lock keeps it so. */
	if (conn->entry->isk->state != INET_SYN_SENT)
		conn->peer = tcp_flows_get(&state->flows, &back);
	if (conn->peer || ctx->options->network_lock == NETWORK_LOCK_SKIP)
		return 0;
	err = nft_usable();
	if (err)
		refuse(ctx->refusals,
		       "%s: TCP connection with somebody outside the tree: the network can't be locked, nf_tables: %s; "
		       "use "
		       "--network-lock skip, and keep its packets away yourself from dump to restore",
		       desc->link, strerror(-err));
	return 0;
}

/* --- reading ------------------------------------------------------------------ */

static int get_option(int fd, int name, uint32_t *ret)
{
	socklen_t bytes = sizeof(*ret);

	return getsockopt(fd, SOL_TCP, name, ret, &bytes) ? fail_errno("TCP option %d", name) : 0;
}

static int choose_queue(int fd, int queue)
{
	return setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ? fail_errno("TCP_REPAIR_QUEUE") : 0;
}

static int read_queue(struct model *model, int fd, int queue, uint32_t bytes, uint32_t *ret_seq, void **ret)
{
	int err = choose_queue(fd, queue);
	ssize_t n;

	err = err ?: get_option(fd, TCP_QUEUE_SEQ, ret_seq);
	if (err)
		return err;
	*ret = arena_alloc(model->arena, bytes);
	if (!bytes)
		return 0;
	n = recv(fd, *ret, bytes, MSG_PEEK | MSG_DONTWAIT);
	if (n < 0)
		return fail_errno("cannot look into a queue of a TCP connection");
	return n == (ssize_t)bytes ? 0 : fail(EIO, "a queue of %" PRIu32 " bytes shows %zd", bytes, n);
}

static int read_lengths(int fd, uint32_t state, TcpStreamEntry *stream)
{
	int in, out, unsent;

	if (ioctl(fd, SIOCINQ, &in) || ioctl(fd, SIOCOUTQ, &out) || ioctl(fd, SIOCOUTQNSD, &unsent))
		return fail_errno("cannot tell how much is queued at a TCP connection");
	/* A FIN that is not confirmed counts as a byte. */
	if (tcp_fin_sent(state) && out)
		out--;
	if (tcp_fin_sent(state) && unsent)
		unsent--;
	stream->inq_len = in;
	stream->outq_len = out;
	stream->has_unsq_len = true;
	stream->unsq_len = unsent;
	return 0;
}

static int read_window(int fd, TcpStreamEntry *stream)
{
	struct tcp_repair_window window;
	socklen_t bytes = sizeof(window);

	if (getsockopt(fd, SOL_TCP, TCP_REPAIR_WINDOW, &window, &bytes))
		return fail_errno("TCP_REPAIR_WINDOW");
	stream->has_snd_wl1 = stream->has_snd_wnd = stream->has_max_window = true;
	stream->has_rcv_wnd = stream->has_rcv_wup = true;
	stream->snd_wl1 = window.snd_wl1;
	stream->snd_wnd = window.snd_wnd;
	stream->max_window = window.max_window;
	stream->rcv_wnd = window.rcv_wnd;
	stream->rcv_wup = window.rcv_wup;
	return 0;
}

static int read_agreed(int fd, uint32_t *ret_state, TcpStreamEntry *stream)
{
	struct tcp_info info;
	socklen_t bytes = sizeof(info);

	if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &bytes))
		return fail_errno("TCP_INFO");
	*ret_state = info.tcpi_state;
	if (info.tcpi_state == INET_CLOSE) {
		pr_warn("a TCP connection has ended since it was looked at");
		return -ERESTART;
	}
	stream->opt_mask = info.tcpi_options & (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	if (stream->opt_mask & TCPI_OPT_WSCALE) {
		stream->snd_wscale = info.tcpi_snd_wscale;
		stream->has_rcv_wscale = true;
		stream->rcv_wscale = info.tcpi_rcv_wscale;
	}
	if (!(stream->opt_mask & TCPI_OPT_TIMESTAMPS))
		return 0;
	stream->has_timestamp = true;
	return get_option(fd, TCP_TIMESTAMP, &stream->timestamp);
}

static int read_repaired(struct model *model, struct tcp_conn *conn)
{
	TcpStreamEntry *stream = conn->stream.entry;
	uint32_t state = INET_CLOSE;
	int err = read_agreed(conn->fd, &state, stream);

	conn->entry->isk->state = state;
	err = err ?: get_option(conn->fd, TCP_MAXSEG, &stream->mss_clamp);
	err = err ?: read_window(conn->fd, stream);
	err = err ?: read_lengths(conn->fd, state, stream);
	err = err ?: read_queue(model, conn->fd, TCP_RECV_QUEUE, stream->inq_len, &stream->inq_seq, &conn->stream.inq);
	return err
		       ?: read_queue(model, conn->fd, TCP_SEND_QUEUE, stream->outq_len, &stream->outq_seq,
				     &conn->stream.outq);
}

static int read_conn(struct files_dump *ctx, struct tcp_conn *conn)
{
	int err, end_err;
	LOG_SCOPE("task", conn->pid);
	LOG_SCOPE("fd", conn->target_fd);

	conn->stream.ino = conn->entry->isk->ino;
	conn->stream.entry = model_new(ctx->model, TcpStreamEntry, tcp_stream_entry__init);
	err = tcp_repair_on(conn->fd);
	if (err)
		return fail(-err, "%s: TCP_REPAIR", conn->link);
	err = read_repaired(ctx->model, conn);
	end_err = tcp_repair_off(conn->fd, conn->reuse, false);
	if (end_err)
		return fail(-end_err, "%s: cannot end TCP_REPAIR", conn->link);
	return err;
}

/* --- do both ends agree? ------------------------------------------------------------ */

/* The first byte that was not confirmed. */
static uint32_t unconfirmed(const struct tcp_conn *conn)
{
	const TcpStreamEntry *stream = conn->stream.entry;
	const uint32_t state = conn->entry->isk->state;

	return stream->outq_seq - stream->outq_len - (tcp_fin_sent(state) && state != INET_FIN_WAIT2);
}

/* What one end holds confirmed the other must have received. */
static bool agree(const struct tcp_conn *conn)
{
	const uint32_t received = conn->peer->stream.entry->inq_seq;

	return (int32_t)(received - unconfirmed(conn)) >= 0;
}

static int read_all(struct files_dump *ctx)
{
	const struct inet_dump *state = inet_dump_state(ctx);
	bool again = true;

	for (int tries = 0; again && tries < READ_TRIES; tries++) {
		const struct timespec pause = { .tv_nsec = 200000L * tries };

		/* What moves between the ends comes to rest. */
		nanosleep(&pause, NULL);
		again = false;
		for (size_t i = 0; i < state->conns.n; i++) {
			struct tcp_conn *conn = state->conns.data[i];
			const bool done = conn->stream.entry && (!conn->peer || (agree(conn) && agree(conn->peer)));
			int err = done ? 0 : read_conn(ctx, conn);

			if (err)
				return err;
		}
		for (size_t i = 0; i < state->conns.n; i++)
			again |= state->conns.data[i]->peer && !agree(state->conns.data[i]);
	}
	if (again)
		pr_warn("the ends of a TCP connection within the tree don't come to rest");
	return again ? -ERESTART : 0;
}

/* --- the lock --------------------------------------------------------------------------- */

static int new_run_id(struct arena *arena, char **ret)
{
	char text[40] = "";
	auto_fd int fd = open("/proc/sys/kernel/random/uuid", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 36)
		return fail_errno("/proc/sys/kernel/random/uuid");
	*ret = arena_printf(arena, "%.36s", text);
	return 0;
}

static int lock(struct files_dump *ctx)
{
	struct inet_dump *state = inet_dump_state(ctx);
	InventoryEntry *inventory = ctx->model->inventory;
	const int flags = ctx->options->final_state == FINAL_DEFAULT ? GUARD_UNTIL_COMMIT : 0;
	nft_flow_list flows = { 0 };
	char name[NFT_TABLE_BYTES];
	int err, slot;

	for (size_t i = 0; i < state->conns.n; i++) {
		const struct tcp_conn *conn = state->conns.data[i];

		if (conn->peer)
			continue;
		VEC_PUSH(&flows, conn->flow);
		tcp_flow_back(&conn->flow, VEC_ADD(&flows));
	}
	inventory->has_network_lock_method = true;
	inventory->network_lock_method = flows.n ? ctx->options->network_lock : NETWORK_LOCK_SKIP;
	if (!flows.n || ctx->options->network_lock == NETWORK_LOCK_SKIP) {
		VEC_FREE(&flows);
		return 0;
	}
	err = new_run_id(ctx->model->arena, &inventory->dump_criu_run_id);
	if (!err) {
		net_lock_name(inventory->dump_criu_run_id, name);
		slot = guard_table_add(ctx->inodes->guard, name, flags);
		err = slot < 0 ? slot : nft_lock(name, flows.data, flows.n);
	}
	VEC_FREE(&flows);
	return err;
}

/* --- the whole ---------------------------------------------------------------------------- */

static int tell_guard(struct files_dump *ctx)
{
	const struct inet_dump *state = inet_dump_state(ctx);
	int *fds = arena_array(ctx->model->arena, int, state->conns.n);
	bool *reuse = arena_array(ctx->model->arena, bool, state->conns.n);

	for (size_t i = 0; i < state->conns.n; i++) {
		fds[i] = state->conns.data[i]->fd;
		reuse[i] = state->conns.data[i]->reuse;
	}
	return guard_sockets(ctx->inodes->guard, fds, reuse, state->conns.n, false);
}

int tcp_dump_all(struct files_dump *ctx)
{
	const struct inet_dump *state = inet_dump_state(ctx);
	struct guard *guard = ctx->inodes->guard;
	int err;

	if (ctx->options->tcp_close) {
		ctx->model->inventory->has_tcp_close = true;
		ctx->model->inventory->tcp_close = true;
	}
	if (!state->conns.n)
		return 0;
	err = tell_guard(ctx);
	err = err ?: lock(ctx);
	err = err ?: guard_hold(guard);
	if (err)
		return err;
	err = read_all(ctx);
	guard_let_go(guard);
	/* They are no concern of the guard's any more if their owners live on. */
	if (!err && ctx->options->final_state != FINAL_DEFAULT)
		err = guard_sockets_forget(guard);
	for (size_t i = 0; i < state->conns.n && !err; i++)
		VEC_PUSH(&ctx->model->tcp_streams, state->conns.data[i]->stream);
	return err;
}

void tcp_silence_all(struct files_dump *ctx)
{
	const struct inet_dump *state = inet_dump_state(ctx);

	for (size_t i = 0; i < state->conns.n; i++) {
		int err = tcp_repair_on(state->conns.data[i]->fd);

		if (err)
			pr_warn("%s: TCP_REPAIR: %s: the other end may see it closed", state->conns.data[i]->link,
				strerror(-err));
	}
}

void tcp_dump_free(struct inet_dump *state)
{
	for (size_t i = 0; i < state->conns.n; i++)
		close_fdp(&state->conns.data[i]->fd);
	VEC_FREE(&state->conns);
	tcp_flows_free(&state->flows);
}
