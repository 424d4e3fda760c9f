#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "zdtmtst.h"

const char *test_doc = "Signal owner, signal and O_ASYNC of sockets, ptys, fifos and others, and the signal comes";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define RT_SIGNAL 40

static volatile sig_atomic_t caught_fd = -1;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	caught_fd = info->si_fd;
}

static int make_pair(int fds[2], int type)
{
	return socketpair(AF_UNIX, type, 0, fds);
}

static int make_stream(int fds[2])
{
	return make_pair(fds, SOCK_STREAM);
}

static int make_dgram(int fds[2])
{
	return make_pair(fds, SOCK_DGRAM);
}

static int make_udp(int fds[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(addr);

	fds[0] = socket(AF_INET, SOCK_DGRAM, 0);
	fds[1] = socket(AF_INET, SOCK_DGRAM, 0);
	return fds[0] < 0 || fds[1] < 0 || bind(fds[0], (struct sockaddr *)&addr, sizeof(addr)) ||
	       getsockname(fds[0], (struct sockaddr *)&addr, &bytes) ||
	       connect(fds[1], (struct sockaddr *)&addr, sizeof(addr));
}

static int make_netlink(int fds[2])
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_pid = 0x40004799 };

	fds[0] = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	fds[1] = socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK);
	return fds[0] < 0 || fds[1] < 0 || bind(fds[0], (struct sockaddr *)&addr, sizeof(addr)) ||
	       connect(fds[1], (struct sockaddr *)&addr, sizeof(addr));
}

static int make_pty(int fds[2])
{
	fds[1] = posix_openpt(O_RDWR | O_NOCTTY);
	fds[0] = fds[1] < 0 || grantpt(fds[1]) || unlockpt(fds[1]) ? -1 : open(ptsname(fds[1]), O_RDWR | O_NOCTTY);
	return fds[0] < 0;
}

static int make_fifo(int fds[2])
{
	char path[4096];

	if (mkdir(dirname, 0755) || ssprintf(path, "%s/fifo", dirname) || mkfifo(path, 0600))
		return -1;
	fds[0] = open(path, O_RDONLY | O_NONBLOCK);
	fds[1] = open(path, O_WRONLY);
	return fds[0] < 0 || fds[1] < 0;
}

static const struct {
	const char *what;
	int (*make)(int fds[2]); /* the first one becomes ready when the other is written to */
	const char *text;
} kinds[] = {
	{ "stream", make_stream, "x" },	  { "datagram", make_dgram, "x" }, { "UDP", make_udp, "x" },
	{ "netlink", make_netlink, "x" }, { "pty", make_pty, "x\n" },	   { "fifo", make_fifo, "x" },
};
#define NR ARRAY_SIZE(kinds)

static int fds[NR][2];

static int check(unsigned int i)
{
	struct f_owner_ex owner;
	const char *what = kinds[i].what;
	char byte;

	if (fcntl(fds[i][0], F_GETOWN_EX, &owner) || owner.type != F_OWNER_TID || owner.pid != getpid())
		return fail("%s: owner is %d %d", what, owner.type, owner.pid);
	if (fcntl(fds[i][0], F_GETSIG) != RT_SIGNAL)
		return fail("%s: signal is %d", what, fcntl(fds[i][0], F_GETSIG));
	if (!(fcntl(fds[i][0], F_GETFL) & O_ASYNC))
		return fail("%s: O_ASYNC is lost", what);
	caught_fd = -1;
	if (write(fds[i][1], kinds[i].text, strlen(kinds[i].text)) <= 0)
		return pr_perror("%s: write", what);
	/* A line of a pty comes later, from a worker of the kernel's. */
	for (int tries = 0; caught_fd != fds[i][0] && tries < 1000; tries++)
		usleep(10000);
	if (caught_fd != fds[i][0])
		return fail("%s: no signal, or of descriptor %d", what, (int)caught_fd);
	if (read(fds[i][0], &byte, 1) != 1)
		return pr_perror("%s: read", what);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct f_owner_ex owner;
	char path[4096];

	test_init(argc, argv);

	sigemptyset(&act.sa_mask);
	if (sigaction(RT_SIGNAL, &act, NULL))
		return pr_perror("sigaction");
	owner.type = F_OWNER_TID;
	owner.pid = getpid();
	for (unsigned int i = 0; i < NR; i++) {
		if (kinds[i].make(fds[i]))
			return pr_perror("%s", kinds[i].what);
		if (fcntl(fds[i][0], F_SETOWN_EX, &owner) || fcntl(fds[i][0], F_SETSIG, RT_SIGNAL) ||
		    fcntl(fds[i][0], F_SETFL, fcntl(fds[i][0], F_GETFL) | O_ASYNC))
			return pr_perror("%s: owner", kinds[i].what);
	}

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < NR; i++)
		if (check(i))
			return 1;
	ssprintf(path, "%s/fifo", dirname);
	unlink(path);
	rmdir(dirname);
	pass();
	return 0;
}
