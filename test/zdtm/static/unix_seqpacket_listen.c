#include <stddef.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "A seqpacket socket that listens: an accepted connection with records, two that wait, a new one";

static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static socklen_t bytes;

static int client(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	return fd < 0 || connect(fd, (struct sockaddr *)&addr, bytes) ? -1 : fd;
}

int main(int argc, char **argv)
{
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0), clients[4], accepted;

	test_init(argc, argv);

	bytes = offsetof(struct sockaddr_un, sun_path) +
		snprintf(addr.sun_path, sizeof(addr.sun_path), "%czdtm-seqpacket-%d", 0, getpid());
	if (bind(listener, (struct sockaddr *)&addr, bytes) || listen(listener, 5))
		return pr_perror("listen");
	clients[0] = client();
	accepted = accept(listener, NULL, NULL);
	if (accepted < 0 || send_sequence(clients[0], 0, 30) || send_sequence(clients[0], 30, 5))
		return pr_perror("accept");
	for (int i = 1; i < 3; i++)
		clients[i] = client();
	if (clients[1] < 0 || clients[2] < 0)
		return pr_perror("connect");

	test_daemon();
	test_waitsig();

	if (recv_sequence(accepted, 0, 30, 0) || recv_sequence(accepted, 30, 5, 0) || talk(accepted, clients[0]))
		return fail("the accepted connection");
	clients[3] = client();
	for (int i = 1; i < 4; i++) {
		accepted = accept(listener, NULL, NULL);
		if (clients[i] < 0 || accepted < 0 || talk(clients[i], accepted))
			return fail("connection %d", i);
		close(accepted);
	}

	pass();
	return 0;
}
