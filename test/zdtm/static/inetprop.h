#ifndef ZDTM_INETPROP_H
#define ZDTM_INETPROP_H

/* What tests of internet sockets share. Include zdtmtst.h first. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

union inetprop_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* An address in text, "127.0.0.1" or "::1", with a port. */
static inline socklen_t addr_of(union inetprop_addr *ret, const char *ip, int port)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, ip, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		return sizeof(ret->v4);
	}
	inet_pton(AF_INET6, ip, &ret->v6.sin6_addr);
	ret->v6.sin6_family = AF_INET6;
	ret->v6.sin6_port = htons(port);
	return sizeof(ret->v6);
}

static inline int bind_to(int fd, const char *ip, int port)
{
	union inetprop_addr addr;
	socklen_t bytes = addr_of(&addr, ip, port);

	return bind(fd, &addr.sa, bytes);
}

static inline int connect_to(int fd, const char *ip, int port)
{
	union inetprop_addr addr;
	socklen_t bytes = addr_of(&addr, ip, port);

	return connect(fd, &addr.sa, bytes);
}

static inline int port_of(int fd)
{
	union inetprop_addr addr;
	socklen_t bytes = sizeof(addr);

	if (getsockname(fd, &addr.sa, &bytes))
		return -1;
	return ntohs(addr.sa.sa_family == AF_INET ? addr.v4.sin_port : addr.v6.sin6_port);
}

static inline int new_socket(const char *ip, int type)
{
	return socket(strchr(ip, ':') ? AF_INET6 : AF_INET, type, 0);
}

static inline int int_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, level, name, &value, &bytes) ? -1 : value;
}

static inline int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* Names of both ends and state, to be compared as text. */
struct inet_view {
	char text[512];
};

static inline void view_addr(char **at, const union inetprop_addr *addr, int failed)
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (failed) {
		*at += sprintf(*at, "error %d, ", errno);
		return;
	}
	inet_ntop(addr->sa.sa_family, addr->sa.sa_family == AF_INET ? (void *)&addr->v4.sin_addr : &addr->v6.sin6_addr,
		  ip, sizeof(ip));
	*at += sprintf(*at, "%s port %u, ", ip, ntohs(addr->v4.sin_port));
}

static inline struct inet_view view_of(int fd)
{
	struct inet_view view;
	struct tcp_info info = { 0 };
	union inetprop_addr addr;
	socklen_t bytes = sizeof(addr);
	char *at = view.text;

	view_addr(&at, &addr, getsockname(fd, &addr.sa, &bytes));
	bytes = sizeof(addr);
	view_addr(&at, &addr, getpeername(fd, &addr.sa, &bytes));
	bytes = sizeof(info);
	if (!getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes))
		sprintf(at, "state %u", info.tcpi_state);
	return view;
}

static inline int view_differs(const struct inet_view *before, int fd, const char *what)
{
	struct inet_view now = view_of(fd);

	if (!strcmp(before->text, now.text))
		return 0;
	pr_err("%s was '%s' and is '%s'\n", what, before->text, now.text);
	return 1;
}

/* Byte number @i of a sequence in which a lost or doubled byte shows. */
static inline unsigned char sequence_byte(size_t i)
{
	return (i * 31 + i / 251) & 0xff;
}

/* One datagram from @from arrives at @to, which is bound, or connected to it. */
static inline int datagram_arrives(int from, int to)
{
	struct pollfd poll_to = { .fd = to, .events = POLLIN };
	char buf[16];

	if (send(from, "datagram", 8, 0) != 8) {
		pr_perror("send");
		return 0;
	}
	if (poll(&poll_to, 1, 10000) != 1) {
		pr_err("nothing arrives\n");
		return 0;
	}
	return recv(to, buf, sizeof(buf), MSG_DONTWAIT) == 8 && !memcmp(buf, "datagram", 8);
}

/* A client gets through to a listening socket, and bytes both ways. */
static inline int listener_accepts(int listener, const char *ip)
{
	int client = new_socket(ip, SOCK_STREAM), server = -1, good = 0;
	char buf[8];

	if (connect_to(client, ip, port_of(listener)))
		pr_perror("connect to %s port %d", ip, port_of(listener));
	else if ((server = accept(listener, NULL, NULL)) < 0)
		pr_perror("accept");
	else
		good = send(client, "there", 5, 0) == 5 && recv(server, buf, 5, MSG_WAITALL) == 5 &&
		       send(server, "back", 4, 0) == 4 && recv(client, buf, 4, MSG_WAITALL) == 4;
	close(client);
	close(server);
	return good;
}

#endif
