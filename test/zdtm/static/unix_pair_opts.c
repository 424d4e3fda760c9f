#include <fcntl.h>
#include <linux/filter.h>
#include <sys/time.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Options of a unix socket and its blocking mode, those of its peer unchanged";

static const struct {
	int name, value;
} options[] = {
	{ SO_SNDBUF, 70000 }, { SO_RCVBUF, 30000 }, { SO_PRIORITY, 5 },	 { SO_RCVLOWAT, 17 }, { SO_PASSCRED, 1 },
	{ SO_KEEPALIVE, 1 },  { SO_BROADCAST, 1 },  { SO_REUSEADDR, 1 }, { SO_DONTROUTE, 1 }, { SO_PASSSEC, 1 },
};
#define N_OPTIONS (sizeof(options) / sizeof(*options))

int main(int argc, char **argv)
{
	/* Let everything of up to 8 bytes through. */
	struct sock_filter code[] = { { BPF_RET | BPF_K, 0, 0, 8 } };
	const struct sock_fprog program = { .len = 1, .filter = code };
	const struct timeval rcv = { .tv_sec = 3, .tv_usec = 500000 }, snd = { .tv_sec = 7 };
	struct timeval time;
	socklen_t bytes = sizeof(time), n = 0;
	int before[N_OPTIONS], peer[N_OPTIONS], pair[2], filtered[2];
	char buf[32];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_DGRAM, 0, filtered) ||
	    fcntl(pair[0], F_SETFL, O_NONBLOCK))
		return pr_perror("socketpair");
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (setsockopt(pair[0], SOL_SOCKET, options[i].name, &options[i].value, sizeof(int)) &&
		    errno != EOPNOTSUPP)
			return pr_perror("option %d", options[i].name);
		before[i] = option_of(pair[0], options[i].name);
		peer[i] = option_of(pair[1], options[i].name);
	}
	if (setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &rcv, sizeof(rcv)) ||
	    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &snd, sizeof(snd)) ||
	    setsockopt(filtered[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		return pr_perror("setsockopt");

	test_daemon();
	test_waitsig();

	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (option_of(pair[0], options[i].name) != before[i])
			return fail("option %d: %d became %d", options[i].name, before[i],
				    option_of(pair[0], options[i].name));
		if (option_of(pair[1], options[i].name) != peer[i])
			return fail("option %d of the peer: %d became %d", options[i].name, peer[i],
				    option_of(pair[1], options[i].name));
	}
	if (getsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, &bytes) || time.tv_sec != 3 || time.tv_usec != 500000)
		return fail("SO_RCVTIMEO");
	if (getsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &time, &bytes) || time.tv_sec != 7 || time.tv_usec)
		return fail("SO_SNDTIMEO");
	if (fcntl(pair[0], F_GETFL) != (O_RDWR | O_NONBLOCK) || fcntl(pair[1], F_GETFL) != O_RDWR)
		return fail("blocking mode");
	if (getsockopt(filtered[1], SOL_SOCKET, SO_GET_FILTER, NULL, &n) || n != 1)
		return fail("the filter is gone");
	if (send(filtered[0], "sixteen letters!", 16, 0) != 16 || recv(filtered[1], buf, sizeof(buf), 0) != 8)
		return fail("the filter does not filter");

	pass();
	return 0;
}
