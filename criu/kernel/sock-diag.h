/*
 * sock_diag(7): what the kernel tells about unix sockets, all of them in one
 * conversation. Only the network namespace of the caller is seen.
 */
#ifndef CRIU_KERNEL_SOCK_DIAG_H
#define CRIU_KERNEL_SOCK_DIAG_H

#include <stdbool.h>
#include <stdint.h>

#include "util/mem.h"

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

#endif
