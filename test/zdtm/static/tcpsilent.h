#ifndef ZDTM_TCPSILENT_H
#define ZDTM_TCPSILENT_H

#include "tcpoutsider.h"

/*
 * A process outside the tree, with a queue that is full from the start: SYNs of others are dropped. When told to, by a datagram,
 * it accepts, and says to everybody what they have said.
 */
static inline void run_server(int listener, int told, int filler)
{
	char buf[8];

	alarm(300);
	if (recv(told, buf, sizeof(buf), 0) < 0)
		_exit(1);
	close(filler);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		ssize_t n;

		while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
			if (send(fd, buf, n, MSG_NOSIGNAL) != n)
				break;
		close(fd);
	}
}

/* The port it listens on, and is told at. */
static inline int start_server(const char *ip)
{
	int listener = new_socket(ip, SOCK_STREAM), told = new_socket(ip, SOCK_DGRAM),
	    filler = new_socket(ip, SOCK_STREAM), port;
	pid_t pid;

	if (bind_to(listener, ip, 0) || listen(listener, 0) || bind_to(told, ip, port_of(listener)) ||
	    connect_to(filler, ip, port_of(listener)))
		return pr_perror("a server with a full queue"), -1;
	port = port_of(listener);
	pid = fork();
	if (!pid) {
		setsid();
		if (fork())
			_exit(0);
		dup2(listener, 10);
		dup2(told, 11);
		dup2(filler, 12);
		syscall(SYS_close_range, 13, ~0U, 0);
		syscall(SYS_close_range, 0, 9, 0);
		run_server(10, 11, 12);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return pr_perror("fork"), -1;
	close(listener);
	close(told);
	close(filler);
	return port;
}

static inline int tell_server(const char *ip, int port)
{
	int fd = new_socket(ip, SOCK_DGRAM);
	int err = connect_to(fd, ip, port) || send(fd, "go", 2, 0) != 2;

	close(fd);
	return err;
}

#endif
