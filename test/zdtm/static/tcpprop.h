#ifndef ZDTM_TCPPROP_H
#define ZDTM_TCPPROP_H

/* What tests of TCP connections share. Include zdtmtst.h first. */

#include "inetprop.h"

/* Both ends of a connection over the loopback; 0 or -1. */
static inline int tcp_pair(const char *ip, int ends[2])
{
	int listener = new_socket(ip, SOCK_STREAM);

	ends[0] = new_socket(ip, SOCK_STREAM);
	if (bind_to(listener, ip, 0) || listen(listener, 1) || connect_to(ends[0], ip, port_of(listener))) {
		pr_perror("no connection to %s", ip);
		return -1;
	}
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
	return ends[1] < 0 ? -1 : 0;
}

/* Bytes @from to @from + @n of the sequence. */
static inline int send_bytes(int fd, size_t from, size_t n)
{
	unsigned char buf[4096];

	for (size_t done = 0; done < n;) {
		size_t part = n - done < sizeof(buf) ? n - done : sizeof(buf);
		ssize_t sent;

		for (size_t i = 0; i < part; i++)
			buf[i] = sequence_byte(from + done + i);
		sent = send(fd, buf, part, MSG_NOSIGNAL);
		if (sent <= 0) {
			pr_perror("send at byte %zu", from + done);
			return -1;
		}
		done += sent;
	}
	return 0;
}

static inline int recv_bytes(int fd, size_t from, size_t n)
{
	unsigned char buf[4096];

	for (size_t done = 0; done < n;) {
		size_t part = n - done < sizeof(buf) ? n - done : sizeof(buf);
		struct pollfd in = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&in, 1, 60000) != 1) {
			pr_err("nothing arrives behind byte %zu of %zu\n", from + done, from + n);
			return -1;
		}
		got = recv(fd, buf, part, MSG_DONTWAIT);
		if (got <= 0) {
			pr_perror("recv at byte %zu: %zd", from + done, got);
			return -1;
		}
		for (ssize_t i = 0; i < got; i++)
			if (buf[i] != sequence_byte(from + done + i)) {
				pr_err("byte %zu is %u and not %u\n", from + done + i, buf[i],
				       sequence_byte(from + done + i));
				return -1;
			}
		done += got;
	}
	return 0;
}

/* As much as the socket takes without waiting; how many bytes that were. */
static inline size_t send_until_full(int fd, size_t from)
{
	unsigned char buf[4096];
	size_t done = 0;
	ssize_t sent;

	do {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = sequence_byte(from + done + i);
		sent = send(fd, buf, sizeof(buf), MSG_NOSIGNAL | MSG_DONTWAIT);
		done += sent > 0 ? sent : 0;
	} while (sent > 0);
	return done;
}

/* Nothing to be read, and the connection is up. */
static inline int tcp_is_empty(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

/* Nothing to be read, and nothing to come. */
static inline int tcp_is_at_end(int fd)
{
	struct pollfd in = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&in, 1, 60000) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static inline unsigned int tcp_state_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) ? 0 : info.tcpi_state;
}

/* Wait until a connection is in @state. */
static inline int tcp_wait_state(int fd, unsigned int state)
{
	for (int i = 0; i < 3000; i++) {
		if (tcp_state_of(fd) == state)
			return 0;
		usleep(10000);
	}
	pr_err("state %u, not %u\n", tcp_state_of(fd), state);
	return -1;
}

/* Both ways, with nothing else in the queues. */
static inline int tcp_talk(int a, int b)
{
	if (send_bytes(a, 7, 1000) || recv_bytes(b, 7, 1000) || !tcp_is_empty(b))
		return -1;
	return send_bytes(b, 9, 500) || recv_bytes(a, 9, 500) || !tcp_is_empty(a) ? -1 : 0;
}

#endif
