/* Between the files of internet sockets. */
#ifndef CRIU_FILES_INET_SK_H
#define CRIU_FILES_INET_SK_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "files/files-internal.h"
#include "kernel/sock-diag.h"
#include "kernel/nft.h"

/* States, as linux/tcp.h and the images have them. */
enum inet_state {
	INET_ESTABLISHED = 1,
	INET_SYN_SENT,
	INET_SYN_RECV,
	INET_FIN_WAIT1,
	INET_FIN_WAIT2,
	INET_TIME_WAIT,
	INET_CLOSE,
	INET_CLOSE_WAIT,
	INET_LAST_ACK,
	INET_LISTEN,
	INET_CLOSING,
};

/* Bits of shutdown states, as the kernel and the images have them. */
enum inet_shutdown {
	INET_SHUT_RD = 1,
	INET_SHUT_WR = 2,
};

/** inet_is_tcp - or UDP, or a raw socket, which may have the protocol's number, too. */
static inline bool inet_is_tcp(const InetSkEntry *entry)
{
	return entry->type == SOCK_STREAM && entry->proto == IPPROTO_TCP;
}

/** inet_is_connection - a TCP socket with another end, in any state of it? */
static inline bool inet_is_connection(const InetSkEntry *entry)
{
	return inet_is_tcp(entry) && entry->state != INET_CLOSE && entry->state != INET_LISTEN;
}

/* --- addresses (inet-addr.c) ------------------------------------------------- */

union inet_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#define INET_ADDR_TEXT (INET6_ADDRSTRLEN + 32)

/** inet_addr_text - "10.0.0.1:80" or "[::1]:80" */
const char *inet_addr_text(const union inet_addr *addr, char ret[INET_ADDR_TEXT]);

/** inet_addr_words - the address as the images have it, in @arena; returns the number of words. */
size_t inet_addr_words(struct arena *arena, const union inet_addr *addr, uint32_t **ret);

/** inet_addr_port - in the byte order of the host. */
uint16_t inet_addr_port(const union inet_addr *addr);

/**
 * inet_addr_src, inet_addr_dst - an address of an entry that was checked
 * Return: its length; -errno, logged, if its network device is not there.
 */
int must_check inet_addr_src(const InetSkEntry *entry, union inet_addr *ret);
int must_check inet_addr_dst(const InetSkEntry *entry, union inet_addr *ret);

/** inet_is_bound - does the entry have an address of its own, or a port? */
bool inet_is_bound(const InetSkEntry *entry);

/* --- options (inet-opts.c) ---------------------------------------------------- */

/**
 * inet_opts_dump - options below SOL_SOCKET, those of a new socket left out
 * @fresh: a new socket of the same kind, in the same network namespace
 */
int must_check inet_opts_dump(struct files_dump *ctx, const struct file_desc *desc, int fresh);
int must_check inet_opts_validate(const InetSkEntry *entry);
/** inet_opts_restore - what binding needs, and everything that can be set before it. */
int must_check inet_opts_restore(const InetSkEntry *entry, int fd);
/** inet_opts_restore_late - what would delay or send what is put back into the queues. */
int must_check inet_opts_restore_late(const InetSkEntry *entry, int fd);

/* --- raw sockets (inet-raw.c) --------------------------------------------------- */

/* A line of /proc/net/raw or raw6, or of those of TCP, which look the same. */
struct inet_raw {
	uint64_t ino;
	uint32_t state, dst[4], dst_port;
};

/** inet_find_line - the line of @desc in @table, "raw" or "tcp"; 1 if there is one, 0; logged -errno. */
int must_check inet_find_line(const struct file_desc *desc, const char *table, struct inet_raw *ret);

/** inet_raw_plan - peer, state and whether it is shut down. */
int must_check inet_raw_plan(struct files_dump *ctx, const struct file_desc *desc);
/** inet_raw_dump_opts - the rest of its options; @fresh: as for inet_opts_dump(). */
void inet_raw_dump_opts(struct files_dump *ctx, const struct file_desc *desc, int fresh);
int must_check inet_raw_validate(const InetSkEntry *entry);
int must_check inet_raw_restore_opts(const InetSkEntry *entry, int fd);

/** inet_parse_raw - addresses have @n_words, 1 or 4; false: no line of a socket (unit tests). */
bool inet_parse_raw(const char *line, size_t n_words, struct inet_raw *ret);

/* --- multicast (inet-mcast.c) -------------------------------------------------- */

/* A group that somebody is in. */
struct inet_group {
	uint32_t interface;
	int level; /* SOL_IP, SOL_IPV6 */
	union inet_addr addr;
};

typedef VEC(struct inet_group) inet_group_list;

/**
 * inet_mcast_dump - which groups a UDP socket is in, as further options
 * @groups, @known: all there are; read on first use
 */
int must_check inet_mcast_dump(struct files_dump *ctx, const struct file_desc *desc, inet_group_list *groups,
			       bool *known);

/** inet_parse_igmp, inet_parse_igmp6 - a line of /proc/net/igmp, igmp6; false: no group (unit tests). */
bool inet_parse_igmp(const char *line, uint32_t *interface, struct inet_group *ret);
bool inet_parse_igmp6(const char *line, struct inet_group *ret);

/* Flows of connections, to find the other end (net-lock.c). */
struct tcp_flows {
	struct hash by_key;
};

/* --- dump (inet-dump.c) --------------------------------------------------------- */

/* What is known of internet sockets while a dump lasts. */
struct inet_dump {
	struct hash shut;	      /* inode -> struct sock_diag_inet *, of bound UDP sockets */
	sock_diag_inet_list lists[2]; /* of IPv4, IPv6 */
	bool has_list[2];
	inet_group_list groups; /* multicast groups of the network namespace */
	bool has_groups;
	VEC(struct tcp_conn *) conns; /* what is kept of TCP connections */
	struct tcp_flows flows;	      /* struct tcp_conn * */
};

/* --- restore (inet.c) ------------------------------------------------------------ */

/* An internet socket while it is restored. */
struct inet_node {
	const InetSkEntry *entry;
	int fd;					   /* owned */
	const struct tcp_stream_image *stream;	   /* of a TCP connection, unless it ends */
	VEC(const struct sk_packet_image *) queue; /* what waits at a UDP socket */
	bool forced;				   /* SO_REUSEADDR and SO_REUSEPORT are on, whatever they are to be */
};

/** inet_new_socket - what @entry is made of: a descriptor, or logged -errno. */
int must_check inet_new_socket(const InetSkEntry *entry);

struct inet_restore {
	VEC(struct inet_node) nodes;
	struct hash by_id; /* file id -> index + 1 */
	bool settled;
	bool closing;		    /* connections end: --tcp-close */
	char lock[NFT_TABLE_BYTES]; /* table that locks them, or empty */
};

#endif
