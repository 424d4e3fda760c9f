#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "zdtmtst.h"

union inet_addr {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t inet_fill(union inet_addr *addr, int family, int port)
{
	memset(addr, 0, sizeof(*addr));
	addr->sa.sa_family = family;
	if (family == AF_INET) {
		addr->v4.sin_port = htons(port);
		return sizeof(addr->v4);
	}
	addr->v6.sin6_port = htons(port);
	return sizeof(addr->v6);
}

static int setup_server(int sock, int family, int *port, const struct zdtm_tcp_opts *opts)
{
	union inet_addr addr;
	socklen_t len;
	int yes = 1;

	if (opts->reuseaddr && setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)))
		return pr_perror("SO_REUSEADDR");
	if (opts->reuseport && setsockopt(sock, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes)))
		return pr_perror("SO_REUSEPORT");

	for (;;) {
		len = inet_fill(&addr, family, *port);
		if (!bind(sock, &addr.sa, len))
			break;
		if (errno != EADDRINUSE || *port >= USHRT_MAX)
			return pr_perror("bind to port %d", *port);
		++*port;
	}
	if (listen(sock, 1))
		return pr_perror("listen on port %d", *port);
	return 0;
}

int tcp_init_server_with_opts(int family, int *port, struct zdtm_tcp_opts *opts)
{
	int sock;

	if (family != AF_INET && family != AF_INET6) {
		pr_err("address family %d is neither IPv4 nor IPv6\n", family);
		return -1;
	}
	sock = socket(family, SOCK_STREAM | opts->flags, IPPROTO_TCP);
	if (sock < 0) {
		pr_perror("socket");
		return -1;
	}
	if (setup_server(sock, family, port, opts)) {
		close(sock);
		return -1;
	}
	return sock;
}

int tcp_init_server(int family, int *port)
{
	struct zdtm_tcp_opts opts = { .reuseaddr = true };

	return tcp_init_server_with_opts(family, port, &opts);
}

int tcp_accept_server(int sock)
{
	int fd = accept(sock, NULL, NULL);

	if (fd < 0)
		pr_perror("accept");
	return fd;
}

int tcp_init_client_with_fd(int sock, int family, char *ip, unsigned short port)
{
	union inet_addr addr;
	socklen_t len = inet_fill(&addr, family, port);
	void *raw = family == AF_INET ? (void *)&addr.v4.sin_addr : (void *)&addr.v6.sin6_addr;

	if (inet_pton(family, ip, raw) != 1) {
		pr_err("bad address %s\n", ip);
		return -1;
	}
	if (connect(sock, &addr.sa, len)) {
		pr_perror("connect to %s port %u", ip, port);
		return -1;
	}
	return sock;
}

int tcp_init_client(int family, char *ip, unsigned short port)
{
	int sock = socket(family, SOCK_STREAM, IPPROTO_TCP);

	if (sock < 0) {
		pr_perror("socket");
		return -1;
	}
	if (tcp_init_client_with_fd(sock, family, ip, port) < 0) {
		close(sock);
		return -1;
	}
	return sock;
}

int unix_fill_sock_name(struct sockaddr_un *addr, const char *name)
{
	char *cwd = get_current_dir_name();
	int len;

	if (!cwd) {
		pr_perror("getcwd");
		return -1;
	}
	addr->sun_family = AF_UNIX;
	len = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s", cwd, name);
	free(cwd);
	if (len < 0 || (size_t)len >= sizeof(addr->sun_path)) {
		pr_err("socket name %s is too long\n", name);
		return -1;
	}
	return 0;
}
