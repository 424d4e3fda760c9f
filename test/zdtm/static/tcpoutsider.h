#ifndef ZDTM_TCPOUTSIDER_H
#define ZDTM_TCPOUTSIDER_H

/*
 * A process outside the tree that has a TCP connection with the test, to be
 * started before test_init(). It sends a sequence without pause, checks the one it receives, and
 * when that is at its end answers with its length. Include zdtmtst.h first.
 */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tcpprop.h"

/* One end of a connection on which a sequence goes each way. */
struct stream {
	int fd;
	uint64_t sent, received;
};

/* Send what fits, at most @n bytes. */
static inline int stream_send(struct stream *stream, size_t n)
{
	unsigned char buf[20000];
	ssize_t sent;

	for (size_t i = 0; i < n; i++)
		buf[i] = sequence_byte(stream->sent + i);
	sent = send(stream->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN) {
		pr_perror("send behind byte %lu", (unsigned long)stream->sent);
		return -1;
	}
	stream->sent += sent > 0 ? sent : 0;
	return 0;
}

/* 0; 1 at the end; -1. The last @tail bytes may be anything and stay in @ret_tail. */
static inline int stream_recv(struct stream *stream, size_t tail, unsigned char *ret_tail)
{
	static unsigned char buf[50000];
	static size_t kept;
	ssize_t n = recv(stream->fd, buf + kept, sizeof(buf) - kept, MSG_DONTWAIT);
	size_t total, checked;

	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0) {
		pr_perror("recv behind byte %lu", (unsigned long)stream->received);
		return -1;
	}
	total = kept + n;
	checked = total > tail ? total - tail : 0;
	for (size_t i = 0; i < checked; i++)
		if (buf[i] != sequence_byte(stream->received + i)) {
			pr_err("byte %lu is %u and not %u\n", (unsigned long)(stream->received + i), buf[i],
			       sequence_byte(stream->received + i));
			return -1;
		}
	stream->received += checked;
	memmove(buf, buf + checked, total - checked);
	kept = total - checked;
	if (!n && tail)
		memcpy(ret_tail, buf, tail);
	return !n;
}

static inline void outsider_run(int fd)
{
	struct stream stream = { .fd = fd };
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN | POLLOUT };
	int end = 0;

	/* So long a dump and a restore may take. */
	while (!end && poll(&poll_fd, 1, 120000) == 1) {
		if (stream_send(&stream, 1 + stream.sent % 9000))
			_exit(1);
		end = stream_recv(&stream, 0, NULL);
		usleep(500);
	}
	if (end != 1)
		_exit(1);
	fcntl(fd, F_SETFL, 0);
	if (send(fd, &stream.received, sizeof(stream.received), MSG_NOSIGNAL) != sizeof(stream.received))
		_exit(1);
	_exit(0);
}

/*
 * It connects to @port, or, if that is 0, listens; with its own address.
 * Return: the port it listens on; -1.
 */
static inline int outsider_start(const char *ip, int port)
{
	int fd = new_socket(ip, SOCK_STREAM);
	pid_t pid;

	if (!port && (bind_to(fd, ip, 0) || listen(fd, 1)))
		return pr_perror("bind, listen"), -1;
	pid = fork();
	if (!pid) {
		/* Nothing may tie it to the test: session, parent, descriptors. */
		setsid();
		if (fork())
			_exit(0);
		dup2(fd, 3);
		syscall(SYS_close_range, 4, ~0U, 0);
		syscall(SYS_close_range, 0, 2, 0);
		alarm(300);
		for (int i = 0; port && connect_to(3, ip, port); i++) {
			if (i == 1000)
				_exit(1);
			usleep(10000);
		}
		outsider_run(port ? 3 : accept(3, NULL, NULL));
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return pr_perror("fork"), -1;
	port = port ? port : port_of(fd);
	close(fd);
	return port;
}

/* Say that nothing more comes, read the rest; is everything there that was sent? */
static inline int outsider_got_all(struct stream *stream)
{
	struct pollfd in = { .fd = stream->fd, .events = POLLIN };
	unsigned char tail[sizeof(uint64_t)];
	uint64_t received;
	int end = 0;

	if (shutdown(stream->fd, SHUT_WR)) {
		pr_perror("shutdown");
		return 0;
	}
	while (!end && poll(&in, 1, 60000) == 1)
		end = stream_recv(stream, sizeof(tail), tail);
	if (end != 1)
		return 0;
	memcpy(&received, tail, sizeof(received));
	if (received != stream->sent)
		pr_err("%lu bytes were sent, %lu arrived\n", (unsigned long)stream->sent, (unsigned long)received);
	return received == stream->sent;
}

#endif
