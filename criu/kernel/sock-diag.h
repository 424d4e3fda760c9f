/*
 * sock_diag(7): what the kernel tells about sockets, all of a family in one
 * conversation. Only the network namespace of the caller is seen.
 */
#ifndef CRIU_KERNEL_SOCK_DIAG_H
#define CRIU_KERNEL_SOCK_DIAG_H

#include <stdbool.h>
#include <stdint.h>

#include "util/mem.h"

struct nlmsghdr;
struct rtattr;

/* Called for each socket; 0 or a logged negative errno, which ends the conversation. */
typedef int (*sock_diag_each)(void *arg, const struct nlmsghdr *header);

/**
 * sock_diag_talk - ask the kernel for all sockets of a family
 * @request: a header and what follows it
 * @what: how messages call the family: "unix"
 */
int must_check sock_diag_talk(const struct nlmsghdr *request, const char *what, sock_diag_each each, void *arg);

/**
 * sock_diag_parse - the netlink messages in one received block
 * Return: 1 when more follows, 0 at the end, logged negative errno.
 */
int must_check sock_diag_parse(const void *block, size_t bytes, const char *what, sock_diag_each each, void *arg);

/** sock_diag_attrs - the attributes that follow the @fixed_bytes of a message. */
int must_check sock_diag_attrs(const struct nlmsghdr *header, size_t fixed_bytes,
			       int (*each)(void *arg, const struct rtattr *attr), void *arg);

/** sock_diag_u32 - an attribute that is a number. */
int must_check sock_diag_u32(const struct rtattr *attr, uint32_t *ret);

/* One unix socket. */
struct sock_diag_unix {
	uint32_t ino; /* 0: it belongs to no descriptor yet: a connection that waits to be accepted */
	uint8_t type, state;
	char *name; /* owned; as in sun_path, with its final NUL byte if it is a path; NULL: unbound */
	size_t name_bytes;
	uint32_t file_ino,
		file_dev; /* of a path's socket file: its number, cut off, and device as in the kernel; 0: none */
	bool has_peer;
	uint32_t peer; /* 0: closed, or not accepted yet */
	uint8_t shutdown;
	/* Of a listener: queued connections and the limit of them; else bytes to be read and memory sent bytes take. */
	uint32_t rqueue, wqueue;
	uint32_t *icons; /* owned; of a listener: inodes of those who wait to be accepted, in order */
	size_t n_icons;
};

typedef VEC(struct sock_diag_unix) sock_diag_unix_list;

/** sock_diag_unix - every unix socket of this network namespace; 0 or logged -errno. */
int must_check sock_diag_unix(sock_diag_unix_list *ret);
void sock_diag_unix_free(sock_diag_unix_list *list);

/**
 * sock_diag_parse_unix - the netlink messages in one received block (unit tests)
 * Return: 1 when more follows, 0 at the end, logged negative errno.
 */
int must_check sock_diag_parse_unix(const void *block, size_t bytes, sock_diag_unix_list *list);

/* One packet socket. */
struct sock_diag_packet {
	uint32_t ino;
	uint16_t protocol; /* of the machine's byte order */
	uint32_t ifindex;
	uint32_t version, reserve, copy_thresh, timestamp, flags; /* PDI_... */
	bool has_ring;
	struct packet_diag_mclist *memberships; /* owned */
	size_t n_memberships;
};

typedef VEC(struct sock_diag_packet) sock_diag_packet_list;

/** sock_diag_packet - every packet socket of this network namespace; 0 or logged -errno. */
int must_check sock_diag_packet(sock_diag_packet_list *ret);
void sock_diag_packet_free(sock_diag_packet_list *list);

/** sock_diag_parse_packet - as sock_diag_parse_unix(). */
int must_check sock_diag_parse_packet(const void *block, size_t bytes, sock_diag_packet_list *list);

/* An internet socket that is bound or connected. */
struct sock_diag_inet {
	uint32_t ino;
	uint8_t shutdown; /* RCV_SHUTDOWN 1, SEND_SHUTDOWN 2 */
};

typedef VEC(struct sock_diag_inet) sock_diag_inet_list;

/** sock_diag_udp - add every UDP socket of @family (AF_INET, AF_INET6) in this network namespace; 0 or logged -errno. */
int must_check sock_diag_udp(int family, sock_diag_inet_list *list);

/** sock_diag_parse_inet - as sock_diag_parse_unix(). */
int must_check sock_diag_parse_inet(const void *block, size_t bytes, sock_diag_inet_list *list);

#endif
