/*
 * A job for network.py: TCP connections that never rest.
 *
 *	tcpjob DIRECTORY PORT    two processes that play ping-pong, a stream between two more, one that plays
 *				 ping-pong with PORT
 *	tcpjob --outsider        listen, print the port, answer each ball with the next one
 *
 * Each process counts in a file, and writes there what it finds wrong.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_PLAYERS 5

struct player {
	volatile uint64_t count;
	char error[120];
};

static struct player *players, *me;

static void bad(const char *format, ...)
{
	va_list args;
	int error = errno;
	size_t n;

	va_start(args, format);
	vsnprintf(me->error, sizeof(me->error), format, args);
	va_end(args);
	n = strlen(me->error);
	snprintf(me->error + n, sizeof(me->error) - n, " (%s)", strerror(error));
	_exit(1);
}

static int dial(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		bad("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int open_port(int *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 5) ||
	    getsockname(fd, (struct sockaddr *)&addr, &bytes))
		exit(1);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static void put(int fd, const void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t sent = send(fd, (const char *)data + done, n - done, MSG_NOSIGNAL);

		if (sent <= 0)
			bad("send: %zd of %zu", sent, n - done);
		done += sent;
	}
}

/* False at the end. */
static int get(int fd, void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = recv(fd, (char *)data + done, n - done, 0);

		if (!got && !done)
			return 0;
		if (got <= 0)
			bad("recv: %zd of %zu", got, n - done);
		done += got;
	}
	return 1;
}

/* Balls have the numbers 0, 1, 2, ... */
static void play(int fd, uint64_t next)
{
	uint64_t ball;

	if (!next)
		put(fd, &next, sizeof(next)), next = 1;
	while (get(fd, &ball, sizeof(ball))) {
		if (ball != next)
			bad("ball %lu, not %lu", (unsigned long)ball, (unsigned long)next);
		ball++;
		put(fd, &ball, sizeof(ball));
		next += 2;
		me->count++;
	}
	errno = 0;
	bad("the other player is gone");
}

static void pour(int fd)
{
	uint64_t block[1000];

	for (uint64_t n = 0;; me->count++) {
		for (size_t i = 0; i < 1000; i++)
			block[i] = n++;
		put(fd, block, sizeof(block));
	}
}

static void drink(int fd)
{
	uint64_t block[1000];

	for (uint64_t n = 0; get(fd, block, sizeof(block)); me->count++) {
		for (size_t i = 0; i < 1000; i++)
			if (block[i] != n++)
				bad("number %lu, not %lu", (unsigned long)block[i], (unsigned long)(n - 1));
		usleep(2000);
	}
	errno = 0;
	bad("the stream has ended");
}

/* The one who was called waits for ball 0. */
static void answer(int fd)
{
	uint64_t ball;

	if (!get(fd, &ball, sizeof(ball)) || ball)
		bad("no first ball");
	ball = 1;
	put(fd, &ball, sizeof(ball));
	play(fd, 2);
}

/* Where a process finds the other one: a socket to accept from, or a port. */
struct address {
	int listener, port;
};

static void play_first(struct address to)
{
	play(dial(to.port), 0);
}

static void play_second(struct address to)
{
	answer(accept(to.listener, NULL, NULL));
}

static void pour_out(struct address to)
{
	pour(dial(to.port));
}

static void drink_up(struct address to)
{
	drink(accept(to.listener, NULL, NULL));
}

static void start(int number, void (*run)(struct address to), struct address to)
{
	me = &players[number];
	if (!fork()) {
		run(to);
		_exit(1);
	}
}

static void outsider(void)
{
	static struct player nobody;
	int port, fd = open_port(&port);

	me = &nobody;
	printf("%d\n", port);
	fflush(stdout);
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (!fork())
			answer(conn);
		close(conn);
	}
}

int main(int argc, char **argv)
{
	char path[4096];
	struct address ping, stream, outside = { -1, 0 };
	int file;

	if (argc == 2 && !strcmp(argv[1], "--outsider"))
		outsider();
	if (argc != 3)
		return 2;
	snprintf(path, sizeof(path), "%s/players", argv[1]);
	file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || ftruncate(file, N_PLAYERS * sizeof(*players)))
		return 1;
	players = mmap(NULL, N_PLAYERS * sizeof(*players), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (players == MAP_FAILED)
		return 1;
	outside.port = atoi(argv[2]);
	ping.listener = open_port(&ping.port);
	stream.listener = open_port(&stream.port);
	start(0, play_second, ping);
	start(1, play_first, ping);
	start(2, drink_up, stream);
	start(3, pour_out, stream);
	start(4, play_first, outside);
	while (wait(NULL) > 0)
		;
	return 1;
}
