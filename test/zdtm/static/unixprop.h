#ifndef ZDTM_UNIXPROP_H
#define ZDTM_UNIXPROP_H

/* What tests of unix sockets share. Include zdtmtst.h first. */

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Byte number @i of a sequence in which a lost or doubled byte shows. */
static inline unsigned char sequence_byte(size_t i)
{
	return (i * 31 + i / 251) & 0xff;
}

/* Bytes @from to @from + @n of the sequence in one message. */
static inline int send_sequence(int fd, size_t from, size_t n)
{
	unsigned char buf[16384];

	for (size_t i = 0; i < n; i++)
		buf[i] = sequence_byte(from + i);
	return send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

/* One message that is just these bytes; of a stream, the next @n bytes. */
static inline int recv_sequence(int fd, size_t from, size_t n, int flags)
{
	unsigned char buf[16384 + 1];
	ssize_t got = recv(fd, buf, flags & MSG_WAITALL ? n : sizeof(buf), MSG_DONTWAIT | flags);

	if (got != (ssize_t)n) {
		pr_perror("%zd bytes of %zu", got, n);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (buf[i] != sequence_byte(from + i)) {
			pr_err("byte %zu is %u and not %u\n", from + i, buf[i], sequence_byte(from + i));
			return -1;
		}
	return 0;
}

static inline int is_empty(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

/* Nothing queued, and nobody who could send. */
static inline int is_at_end(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

/* Both ways, with nothing else in the queues. */
static inline int talk(int a, int b)
{
	if (send_sequence(a, 7, 100) || recv_sequence(b, 7, 100, 0) || !is_empty(b))
		return -1;
	return send_sequence(b, 9, 50) || recv_sequence(a, 9, 50, 0) || !is_empty(a) ? -1 : 0;
}

static inline int option_of(int fd, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &bytes) ? -1 : value;
}

#endif
