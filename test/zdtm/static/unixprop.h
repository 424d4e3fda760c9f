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

#define RIGHTS_MAX 253

union rights_control {
	char bytes[CMSG_SPACE(RIGHTS_MAX * sizeof(int))];
	struct cmsghdr align;
};

/* Bytes @from to @from + @n of the sequence with @n_fds descriptors. */
static inline int send_rights(int fd, size_t from, size_t n, const int *fds, size_t n_fds)
{
	union rights_control control = { .bytes = { 0 } };
	unsigned char buf[16384];
	struct iovec iov = { .iov_base = buf, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes };
	struct cmsghdr *cmsg;

	for (size_t i = 0; i < n; i++)
		buf[i] = sequence_byte(from + i);
	msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

static inline int send_right(int fd, size_t from, size_t n, int sent)
{
	return send_rights(fd, from, n, &sent, 1);
}

/* One message, of just these bytes and as many descriptors. */
static inline int recv_rights(int fd, size_t from, size_t n, int *fds, size_t n_fds)
{
	union rights_control control;
	unsigned char buf[16384 + 1];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)
	};
	ssize_t got = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	if (got != (ssize_t)n) {
		pr_perror("%zd bytes of %zu", got, n);
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (buf[i] != sequence_byte(from + i)) {
			pr_err("byte %zu is %u and not %u\n", from + i, buf[i], sequence_byte(from + i));
			return -1;
		}
	if (!n_fds)
		return cmsg ? -1 : 0;
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(n_fds * sizeof(int))) {
		pr_err("not %zu descriptors\n", n_fds);
		return -1;
	}
	memcpy(fds, CMSG_DATA(cmsg), n_fds * sizeof(int));
	return 0;
}

static inline int recv_right(int fd, size_t from, size_t n)
{
	int got;

	return recv_rights(fd, from, n, &got, 1) ? -1 : got;
}

/* What is written into one comes out of the other, and nothing else. */
static inline int carries(int from, int to)
{
	char byte = 0;

	return write(from, "y", 1) == 1 && read(to, &byte, 1) == 1 && byte == 'y';
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
