/* Pairs of descriptors of every kind that can tell of its readiness by a signal, and who was told. */
#ifndef ZDTM_FOWN_PAIRS_H
#define ZDTM_FOWN_PAIRS_H

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "zdtmtst.h"

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

/* A constant, unlike SIGRTMIN; the C library uses lower ones. It is queued: each one is counted. */
#define RT_SIGNAL 40
#define MAX_FDS	  64

static volatile sig_atomic_t told[MAX_FDS], told_of_others;

static inline void count_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_fd >= 0 && info->si_fd < MAX_FDS && (info->si_code == POLL_IN || info->si_code == POLL_OUT))
		told[info->si_fd]++;
	else
		told_of_others++;
}

static inline int catch_signals(void)
{
	struct sigaction act = { .sa_sigaction = count_signal, .sa_flags = SA_SIGINFO | SA_RESTART };

	sigemptyset(&act.sa_mask);
	/* The second one comes where the first is lost. */
	if (sigaction(RT_SIGNAL, &act, NULL) || sigaction(SIGIO, &act, NULL))
		return pr_perror("sigaction");
	return 0;
}

static inline int own(int fd)
{
	struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = getpid() };

	if (fd >= MAX_FDS)
		return pr_err("descriptor %d is too high for this test\n", fd);
	if (fcntl(fd, F_SETOWN_EX, &owner) || fcntl(fd, F_SETSIG, RT_SIGNAL) ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC))
		return pr_perror("owner of %d", fd);
	return 0;
}

static inline int check_owner(const char *what, int fd)
{
	struct f_owner_ex owner;
	uid_t uids[2];

	if (fcntl(fd, F_GETOWNER_UIDS, uids) || uids[0] != getuid() || uids[1] != geteuid())
		return fail("%s: the owner was set by user %u, %u", what, uids[0], uids[1]);
	if (fcntl(fd, F_GETOWN_EX, &owner) || owner.type != F_OWNER_TID || owner.pid != getpid())
		return fail("%s: owner is %d %d", what, owner.type, owner.pid);
	if (fcntl(fd, F_GETSIG) != RT_SIGNAL)
		return fail("%s: signal is %d", what, fcntl(fd, F_GETSIG));
	if (!(fcntl(fd, F_GETFL) & O_ASYNC))
		return fail("%s: O_ASYNC is lost", what);
	return 0;
}

/* Since the start: nobody has written to it. */
static inline int check_untold(const char *what, int fd)
{
	if (told[fd])
		return fail("%s: %d signals although nothing has come", what, (int)told[fd]);
	if (told_of_others)
		return fail("%s: %d signals of no descriptor that is known", what, (int)told_of_others);
	return 0;
}

/* Some come a moment later, from a worker of the kernel's. */
static inline int wait_told(int fd)
{
	for (int tries = 0; !told[fd] && tries < 1000; tries++)
		usleep(10000);
	return told[fd];
}

/* The first one becomes ready when the other is written to. */
static inline int make_pair(int fds[2], int type)
{
	return socketpair(AF_UNIX, type, 0, fds);
}

static inline int make_stream(int fds[2])
{
	return make_pair(fds, SOCK_STREAM);
}

static inline int make_dgram(int fds[2])
{
	return make_pair(fds, SOCK_DGRAM);
}

static inline int make_seqpacket(int fds[2])
{
	return make_pair(fds, SOCK_SEQPACKET);
}

static inline int make_inet(int fds[2], int family, int type)
{
	struct sockaddr_in6 addr6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in addr4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *addr = family == AF_INET ? (struct sockaddr *)&addr4 : (struct sockaddr *)&addr6;
	socklen_t bytes = family == AF_INET ? sizeof(addr4) : sizeof(addr6);
	int listener;

	fds[0] = socket(family, type, 0);
	fds[1] = socket(family, type, 0);
	if (fds[0] < 0 || fds[1] < 0 || bind(fds[0], addr, bytes) || (type == SOCK_STREAM && listen(fds[0], 1)) ||
	    getsockname(fds[0], addr, &bytes) || connect(fds[1], addr, bytes))
		return -1;
	if (type != SOCK_STREAM)
		return 0;
	listener = fds[0];
	fds[0] = accept(listener, NULL, NULL);
	close(listener);
	return fds[0] < 0;
}

static inline int make_udp(int fds[2])
{
	return make_inet(fds, AF_INET, SOCK_DGRAM);
}

static inline int make_udp6(int fds[2])
{
	return make_inet(fds, AF_INET6, SOCK_DGRAM);
}

static inline int make_tcp(int fds[2])
{
	return make_inet(fds, AF_INET, SOCK_STREAM);
}

static inline int make_netlink(int fds[2])
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_pid = 0x40004799 };

	fds[0] = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	fds[1] = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	return fds[0] < 0 || fds[1] < 0 || bind(fds[0], (struct sockaddr *)&addr, sizeof(addr)) ||
	       connect(fds[1], (struct sockaddr *)&addr, sizeof(addr));
}

static inline int make_pty(int fds[2])
{
	fds[1] = posix_openpt(O_RDWR | O_NOCTTY);
	fds[0] = fds[1] < 0 || grantpt(fds[1]) || unlockpt(fds[1]) ? -1 : open(ptsname(fds[1]), O_RDWR | O_NOCTTY);
	return fds[0] < 0;
}

static inline int make_raw_pty(int fds[2])
{
	struct termios settings;

	if (make_pty(fds) || tcgetattr(fds[0], &settings))
		return -1;
	cfmakeraw(&settings);
	return tcsetattr(fds[0], TCSANOW, &settings);
}

/* The master is the first one. */
static inline int make_pty_output(int fds[2])
{
	int pair[2];

	if (make_raw_pty(pair))
		return -1;
	fds[0] = pair[1];
	fds[1] = pair[0];
	return 0;
}

static inline int make_pipe(int fds[2])
{
	return pipe(fds);
}

/* In @dirname, which it makes. */
static inline int make_fifo_in(const char *dirname, int fds[2])
{
	char path[4096];

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/fifo", dirname) || mkfifo(path, 0600))
		return -1;
	fds[0] = open(path, O_RDONLY | O_NONBLOCK);
	fds[1] = open(path, O_WRONLY);
	return fds[0] < 0 || fds[1] < 0;
}

static inline void remove_fifo_in(const char *dirname)
{
	char path[4096];

	if (ssprintf(path, "%s/fifo", dirname))
		return;
	unlink(path);
	rmdir(dirname);
}

#endif
