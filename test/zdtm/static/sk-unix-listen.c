#include <stddef.h>

#include "zdtmtst.h"
#include "kids.h"
#include "unixprop.h"

const char *test_doc = "Abstract names: connections that wait to be accepted, in order; the credentials of both ends; "
		       "a closed listener";

static struct sockaddr_un addr = { .sun_family = AF_UNIX }, gone = { .sun_family = AF_UNIX };
static socklen_t bytes, gone_bytes;
static int listener, waiting[3], client, server, kept[2];

static pid_t peer_of(int fd)
{
	struct ucred creds = { 0 };
	socklen_t n = sizeof(creds);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &n);
	return creds.uid == getuid() ? creds.pid : -1;
}

static int prepare(void *arg)
{
	(void)arg;
	return connect(client, (struct sockaddr *)&addr, bytes);
}

static int check(void *arg)
{
	(void)arg;
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un got;
	socklen_t n = sizeof(got);
	int accepted;
	pid_t kid;

	test_init(argc, argv);

	bytes = offsetof(struct sockaddr_un, sun_path) +
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%czdtm-sk-unix-listen-%d", 0, getpid());
	gone_bytes = offsetof(struct sockaddr_un, sun_path) +
		     snprintf(gone.sun_path, sizeof(gone.sun_path), "%czdtm-sk-unix-gone-%d", 0, getpid());

	/* The listener of this one is closed before the dump. */
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	kept[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&gone, gone_bytes) || listen(listener, 1) ||
	    connect(kept[0], (struct sockaddr *)&gone, gone_bytes))
		return pr_perror("connect");
	kept[1] = accept(listener, NULL, NULL);
	if (kept[1] < 0 || send_sequence(kept[0], 0, 60) || close(listener))
		return pr_perror("accept");

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, bytes) || listen(listener, 5))
		return pr_perror("listen");
	kid = kid_start(prepare, check, NULL);
	server = accept(listener, NULL, NULL);
	if (kid < 0 || server < 0 || send_sequence(client, 0, 40))
		return pr_perror("accept");
	/* The last made is the first to connect. */
	for (int i = 2; i >= 0; i--)
		waiting[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	for (int i = 0; i < 3; i++)
		if (connect(waiting[i], (struct sockaddr *)&addr, bytes))
			return pr_perror("connect");

	test_daemon();
	test_waitsig();

	if (recv_sequence(server, 0, 40, 0) || talk(server, client))
		return fail("the accepted connection");
	if (peer_of(server) != kid || peer_of(client) != getpid())
		return fail("credentials: %d connected, %d listened", peer_of(server), peer_of(client));
	for (int i = 0; i < 3; i++) {
		accepted = accept(listener, NULL, NULL);
		if (accepted < 0 || talk(waiting[i], accepted))
			return fail("connection %d that waited", i);
		if (peer_of(waiting[i]) != getpid() || peer_of(accepted) != getpid())
			return fail("credentials of connection %d that waited", i);
		close(accepted);
	}
	if (recv_sequence(kept[1], 0, 60, 0) || talk(kept[0], kept[1]) || peer_of(kept[0]) != getpid() ||
	    getpeername(kept[0], (struct sockaddr *)&got, &n) || n != gone_bytes || memcmp(&got, &gone, n))
		return fail("the connection whose listener was closed");
	accepted = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(accepted, (struct sockaddr *)&gone, gone_bytes) != -1 || errno != ECONNREFUSED)
		return fail("the closed listener is back");
	if (kid_finish(kid))
		return fail("child");

	pass();
	return 0;
}
