#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "zdtmtst.h"
#include "tcpprop.h"

const char *test_doc =
	"What TCP connections agreed on at their start: time stamps, SACK, window scales, segments; their options";

static const char *const sysctls[] = {
	"/proc/sys/net/ipv4/tcp_timestamps",
	"/proc/sys/net/ipv4/tcp_sack",
	"/proc/sys/net/ipv4/tcp_window_scaling",
};
#define BITS  ((int)ARRAY_SIZE(sysctls))
#define CONNS (1 << BITS)

#define OPTIONS_AGREED (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE)

/* Of one end: what is asked for afterwards. */
struct agreed {
	unsigned int options, snd_wscale, rcv_wscale;
	int maxseg;
	uint32_t timestamp;
	struct timespec when;
};

static const struct {
	int level, name, value;
} set_options[] = {
	{ SOL_SOCKET, SO_KEEPALIVE, 1 },
	{ SOL_SOCKET, SO_OOBINLINE, 1 },
	{ SOL_SOCKET, SO_RCVLOWAT, 3 },
	{ IPPROTO_TCP, TCP_NODELAY, 1 },
	{ IPPROTO_TCP, TCP_KEEPIDLE, 77 },
	{ IPPROTO_TCP, TCP_KEEPINTVL, 8 },
	{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, 54321 },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096 },
	{ IPPROTO_TCP, TCP_LINGER2, 9 },
	{ IPPROTO_IP, IP_TOS, 0x10 },
	{ IPPROTO_IP, IP_TTL, 33 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO },
};

static int write_sysctl(const char *path, int value)
{
	int fd = open(path, O_WRONLY), ret;

	ret = fd < 0 || write(fd, value ? "1" : "0", 1) != 1;
	close(fd);
	return ret;
}

static int look(int fd, struct agreed *ret)
{
	struct tcp_info info = { 0 };
	socklen_t bytes = sizeof(info);

	memset(ret, 0, sizeof(*ret));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes))
		return pr_perror("TCP_INFO");
	ret->options = info.tcpi_options & OPTIONS_AGREED;
	ret->snd_wscale = info.tcpi_snd_wscale;
	ret->rcv_wscale = info.tcpi_rcv_wscale;
	ret->maxseg = int_option(fd, IPPROTO_TCP, TCP_MAXSEG);
	ret->timestamp = int_option(fd, IPPROTO_TCP, TCP_TIMESTAMP);
	return clock_gettime(CLOCK_MONOTONIC, &ret->when);
}

/* In milliseconds. One that went back would have what is sent thrown away by the other end. */
static int clock_is_wrong(const struct agreed *was, const struct agreed *now)
{
	const long elapsed =
		(now->when.tv_sec - was->when.tv_sec) * 1000 + (now->when.tv_nsec - was->when.tv_nsec) / 1000000;
	const int32_t passed = (int32_t)(now->timestamp - was->timestamp);

	if (passed >= 0 && passed <= elapsed + 1000)
		return 0;
	return fail("the clock of time stamps went on by %d ms in %ld ms", passed, elapsed);
}

static int differs(int fd, const struct agreed *was)
{
	struct agreed now;

	if (look(fd, &now))
		return 1;
	if (now.options != was->options || now.snd_wscale != was->snd_wscale || now.rcv_wscale != was->rcv_wscale)
		return fail("options were %#x with scales %u and %u, are %#x with %u and %u", was->options,
			    was->snd_wscale, was->rcv_wscale, now.options, now.snd_wscale, now.rcv_wscale);
	/* The kernel may leave room for time stamps that it does not send, and uses it all the same. */
	if (now.maxseg != was->maxseg && ((was->options & TCPI_OPT_TIMESTAMPS) || now.maxseg != was->maxseg - 12))
		return fail("segments were of %d bytes, are of %d", was->maxseg, now.maxseg);
	return was->options & TCPI_OPT_TIMESTAMPS ? clock_is_wrong(was, &now) : 0;
}

/* A connection of the kind @bits, with a limit of segments of its own. */
static int make(int bits, int ends[2])
{
	static const unsigned int flags[] = { TCPI_OPT_TIMESTAMPS, TCPI_OPT_SACK, TCPI_OPT_WSCALE };
	int listener = new_socket("127.0.0.1", SOCK_STREAM);
	struct agreed agreed;

	for (int i = 0; i < BITS; i++)
		if (write_sysctl(sysctls[i], bits & 1 << i))
			return pr_perror("%s", sysctls[i]);
	ends[0] = new_socket("127.0.0.1", SOCK_STREAM);
	if (set_option(ends[0], IPPROTO_TCP, TCP_MAXSEG, 1000 + bits) || bind_to(listener, "127.0.0.1", 0) ||
	    listen(listener, 1) || connect_to(ends[0], "127.0.0.1", port_of(listener)))
		return pr_perror("connect");
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
	for (int k = 0; k < 2; k++) {
		if (look(ends[k], &agreed))
			return 1;
		for (int i = 0; i < BITS; i++)
			if (!(agreed.options & flags[i]) != !(bits & 1 << i))
				return pr_err("connection %d has options %#x\n", bits, agreed.options);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct agreed before[CONNS][2];
	int ends[CONNS][2];

	test_init(argc, argv);
	for (int i = 0; i < CONNS; i++)
		if (make(i, ends[i]))
			return 1;
	/* What is the rule by the time of the restore must not matter. */
	for (int i = 0; i < BITS; i++)
		if (write_sysctl(sysctls[i], 1))
			return pr_perror("%s", sysctls[i]);
	for (size_t i = 0; i < ARRAY_SIZE(set_options); i++)
		if (set_option(ends[0][0], set_options[i].level, set_options[i].name, set_options[i].value))
			return pr_perror("option %d of level %d", set_options[i].name, set_options[i].level);
	for (int i = 0; i < CONNS; i++) {
		if (send_bytes(ends[i][0], 0, 30000) || send_bytes(ends[i][1], 5, 5000))
			return 1;
		for (int k = 0; k < 2; k++)
			if (look(ends[i][k], &before[i][k]))
				return 1;
	}

	test_daemon();
	test_waitsig();

	for (int i = 0; i < CONNS; i++)
		for (int k = 0; k < 2; k++)
			if (differs(ends[i][k], &before[i][k]))
				return fail("connection %d, end %d", i, k);
	for (size_t i = 0; i < ARRAY_SIZE(set_options); i++)
		if (int_option(ends[0][0], set_options[i].level, set_options[i].name) != set_options[i].value)
			return fail("option %d of level %d became %d", set_options[i].name, set_options[i].level,
				    int_option(ends[0][0], set_options[i].level, set_options[i].name));
	for (int i = 0; i < CONNS; i++)
		if (recv_bytes(ends[i][1], 0, 30000) || recv_bytes(ends[i][0], 5, 5000) ||
		    tcp_talk(ends[i][0], ends[i][1]))
			return fail("connection %d is dead", i);
	pass();
	return 0;
}
