#ifndef ZDTM_UDPPROP_H
#define ZDTM_UDPPROP_H

/* Numbered datagrams that wait at a socket. Include zdtmtst.h first. */

#include <sys/wait.h>

#include "inetprop.h"

#define DATAGRAM_MAX 65507
#define EXPECTED_MAX 64

/* What a receiver is to get, in this order. */
struct expected {
	int n;
	struct {
		union inetprop_addr from;
		size_t bytes;
		int number;
	} all[EXPECTED_MAX];
};

/* One byte of datagram number @number. */
static inline unsigned char datagram_byte(int number, size_t i)
{
	return sequence_byte(i + (size_t)number * 977);
}

static inline void expect(struct expected *expected, const union inetprop_addr *from, int number, size_t bytes)
{
	expected->all[expected->n].from = *from;
	expected->all[expected->n].number = number;
	expected->all[expected->n++].bytes = bytes;
}

/* 0 or -1. */
static inline int send_datagram(int from, const char *ip, int port, int number, size_t bytes)
{
	static unsigned char buf[DATAGRAM_MAX];
	union inetprop_addr to;
	socklen_t n = addr_of(&to, ip, port);

	for (size_t i = 0; i < bytes; i++)
		buf[i] = datagram_byte(number, i);
	if (sendto(from, buf, bytes, 0, &to.sa, n) == (ssize_t)bytes)
		return 0;
	pr_perror("sendto %s port %d", ip, port);
	return -1;
}

static inline union inetprop_addr name_of(int fd)
{
	union inetprop_addr addr;
	socklen_t bytes = sizeof(addr);

	memset(&addr, 0, sizeof(addr));
	if (getsockname(fd, &addr.sa, &bytes))
		pr_perror("getsockname");
	return addr;
}

/* From @from, which is bound, and to be expected. */
static inline int send_expected(struct expected *expected, int from, const char *ip, int port, int number, size_t bytes)
{
	const union inetprop_addr name = name_of(from);

	expect(expected, &name, number, bytes);
	return send_datagram(from, ip, port, number, bytes);
}

static inline int same_name(const union inetprop_addr *a, const union inetprop_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || a->v4.sin_port != b->v4.sin_port)
		return 0;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return !memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) &&
	       a->v6.sin6_scope_id == b->v6.sin6_scope_id;
}

/* The next datagram is number @i of those expected; 0 or -1. */
static inline int recv_expected(const struct expected *expected, int fd, int i)
{
	static unsigned char buf[DATAGRAM_MAX + 1];
	union inetprop_addr from;
	socklen_t bytes = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, &from.sa, &bytes);

	if (n != (ssize_t)expected->all[i].bytes) {
		pr_perror("datagram %d has %zd bytes and not %zu", i, n, expected->all[i].bytes);
		return -1;
	}
	if (!same_name(&from, &expected->all[i].from)) {
		pr_err("datagram %d comes from somebody else, port %d and not %d\n", i, ntohs(from.v4.sin_port),
		       ntohs(expected->all[i].from.v4.sin_port));
		return -1;
	}
	for (size_t k = 0; k < (size_t)n; k++)
		if (buf[k] != datagram_byte(expected->all[i].number, k)) {
			pr_err("datagram %d: byte %zu is %u\n", i, k, buf[k]);
			return -1;
		}
	return 0;
}

/* These, and nothing else; 0 or -1. */
static inline int recv_all_expected(const struct expected *expected, int fd)
{
	char byte;

	for (int i = 0; i < expected->n; i++)
		if (recv_expected(expected, fd, i))
			return -1;
	if (recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN)
		return 0;
	pr_perror("more than %d datagrams", expected->n);
	return -1;
}

#endif
