/* TCP connections, between the files of internet sockets. */
#ifndef CRIU_FILES_TCP_H
#define CRIU_FILES_TCP_H

#include "files/inet-sk.h"
#include "kernel/nft.h"
#include "mem/guard.h"

/* Was a FIN sent, or received? Both have a number of their own in the sequence. */
static inline bool tcp_fin_sent(uint32_t state)
{
	return state == INET_FIN_WAIT1 || state == INET_FIN_WAIT2 || state == INET_CLOSING || state == INET_LAST_ACK;
}

static inline bool tcp_fin_received(uint32_t state)
{
	return state == INET_CLOSE_WAIT || state == INET_CLOSING || state == INET_LAST_ACK;
}

/** tcp_state_name - "ESTABLISHED" */
const char *tcp_state_name(uint32_t state);

/* --- flows and the lock (net-lock.c) --------------------------------------------- */

/** tcp_flow - the packets that the owner of @entry sends; an IPv6 socket may send IPv4. */
void tcp_flow(const InetSkEntry *entry, struct nft_flow *ret);
/** tcp_flow_back - those of the other end. */
void tcp_flow_back(const struct nft_flow *flow, struct nft_flow *ret);

void tcp_flows_add(struct tcp_flows *flows, const struct nft_flow *flow, void *value);
/** tcp_flows_get - what was added with @flow, or NULL. */
void *tcp_flows_get(const struct tcp_flows *flows, const struct nft_flow *flow);
void tcp_flows_free(struct tcp_flows *flows);

typedef VEC(struct nft_flow) nft_flow_list;

/** net_lock_name - the table of a dump whose inventory has @run_id, as mainline names it. */
void net_lock_name(const char *run_id, char ret[NFT_TABLE_BYTES]);

/* --- dump (tcp-dump.c) ------------------------------------------------------------- */

/* A connection of the tree. */
struct tcp_conn {
	FileEntry *entry;
	const char *link; /* for messages */
	pid_t pid;
	int target_fd;
	int fd; /* owned */
	bool reuse;
	struct nft_flow flow;
	struct tcp_conn *peer; /* the other end, if the tree has it */
	struct tcp_stream_image stream;
};

/** tcp_plan - a TCP socket with another end; @fresh: a new one. */
int must_check tcp_plan(struct files_dump *ctx, const struct file_desc *desc, int fresh);
/** tcp_resolve - who the other end of @desc is. */
int must_check tcp_resolve(struct files_dump *ctx, const struct file_desc *desc);
/** tcp_dump_all - lock the network, and save what all connections of the tree have on their way. */
int must_check tcp_dump_all(struct files_dump *ctx);
/** tcp_silence_all - their sockets are about to be closed by the kill: nobody is to notice. */
void tcp_silence_all(struct files_dump *ctx);
void tcp_dump_free(struct inet_dump *state);

/* --- restore (tcp-restore.c, tcp-lock.c) ----------------------------------------------- */

/** tcp_find_streams - what belongs to each connection among @state's nodes. */
int must_check tcp_find_streams(const struct model *model, struct inet_restore *state);
int must_check tcp_validate(const struct model *model, const InetSkEntry *entry, const struct options *options);

/** tcp_lock_all - before the first is made: no packet of theirs arrives from outside. */
int must_check tcp_lock_all(struct files_restore *ctx);

/** tcp_connect - make the socket of @node a connection, in repair mode, with nothing queued. */
int must_check tcp_connect(struct inet_node *node);

/** tcp_fill_all - put back what is queued, with all connections made; they stay in repair mode. */
int must_check tcp_fill_all(struct files_restore *ctx);

/** tcp_release_all - the tasks are going to run: unlock, end repair mode. */
void tcp_release_all(struct files_restore *ctx);

/* --- sockets that are connecting (tcp-connecting.c) ----------------------------------------- */

/** tcp_connecting_plan - who it connects to; refuse what is under way and can't be kept. */
int must_check tcp_connecting_plan(struct files_dump *ctx, const struct file_desc *desc);
int must_check tcp_connecting_validate(const TcpStreamEntry *stream);
/** tcp_connecting_prepare - in repair mode and bound: what is to be set before it connects. */
int must_check tcp_connecting_prepare(const struct inet_node *node);
/** tcp_connecting_start_all - with all options set: connect, and be in repair mode again. */
int must_check tcp_connecting_start_all(const struct inet_restore *state);

/* --- segments (tcp-segment.c) ------------------------------------------------------------ */

struct tcp_segment {
	struct nft_flow flow;
	uint32_t seq, ack;
	uint16_t window;
	bool fin;
};

/** tcp_segment_send - let a segment without data arrive as if it came from the other end; it passes the lock. */
int must_check tcp_segment_send(const struct tcp_segment *segment);

/** tcp_segment_fill - the TCP header of @segment, checksum included (unit tests). */
#define TCP_SEGMENT_BYTES 20
void tcp_segment_fill(const struct tcp_segment *segment, uint8_t ret[TCP_SEGMENT_BYTES]);

#endif
