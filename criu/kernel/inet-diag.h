/*
 * sock_diag(7) for what a descriptor of an internet socket does not show: which
 * directions of a UDP socket are shut down. Only the network namespace of the caller is seen.
 */
#ifndef CRIU_KERNEL_INET_DIAG_H
#define CRIU_KERNEL_INET_DIAG_H

#include <stdint.h>

#include "util/mem.h"

/* A socket that is bound or connected. */
struct inet_diag_sock {
	uint32_t ino;
	uint8_t shutdown; /* RCV_SHUTDOWN 1, SEND_SHUTDOWN 2 */
};

typedef VEC(struct inet_diag_sock) inet_diag_list;

/** inet_diag_udp - add every UDP socket of @family (AF_INET, AF_INET6); 0 or logged -errno. */
int must_check inet_diag_udp(int family, inet_diag_list *list);

/**
 * inet_diag_parse - the netlink messages in one received block (unit tests)
 * Return: 1 when more follows, 0 at the end, logged negative errno.
 */
int must_check inet_diag_parse(const void *block, size_t bytes, inet_diag_list *list);

#endif
