#include <arpa/inet.h>
#include <netinet/tcp.h>

#include "sock_refused.h"

#ifndef TCP_ULP
#define TCP_ULP 31
#endif

const char *test_doc = "A TCP socket with another protocol on top of it is refused";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(addr);
	int listener, client, server;
	char ulp[16] = "";

	test_init(argc, argv);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &bytes) ||
	    connect(client, (struct sockaddr *)&addr, sizeof(addr)))
		return pr_perror("connect");
	server = accept(listener, NULL, NULL);
	if (server < 0)
		return pr_perror("accept");
	if (setsockopt(client, IPPROTO_TCP, TCP_ULP, "tls", 4)) {
		if (!sock_is_missing())
			return pr_perror("TCP_ULP");
		skip("no TLS in this kernel (TCP_ULP): %s", strerror(errno));
		return skipped_test();
	}

	test_daemon();
	test_waitsig();

	bytes = sizeof(ulp);
	if (getsockopt(client, IPPROTO_TCP, TCP_ULP, ulp, &bytes) || strcmp(ulp, "tls"))
		return fail("the protocol is '%.16s'", ulp);
	pass();
	return 0;
}
