#include <arpa/inet.h>
#include <netinet/udp.h>

#include "sock_refused.h"

const char *test_doc = "A UDP socket with a datagram half written is refused, and sends it whole";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(addr);
	int to, from, cork = 1;
	char text[8];

	test_init(argc, argv);
	to = socket(AF_INET, SOCK_DGRAM, 0);
	from = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(to, (struct sockaddr *)&addr, sizeof(addr)) || getsockname(to, (struct sockaddr *)&addr, &bytes) ||
	    connect(from, (struct sockaddr *)&addr, sizeof(addr)) ||
	    setsockopt(from, SOL_UDP, UDP_CORK, &cork, sizeof(cork)) || send(from, "ab", 2, 0) != 2)
		return pr_perror("half a datagram");

	test_daemon();
	test_waitsig();

	cork = 0;
	if (recv(to, text, sizeof(text), MSG_DONTWAIT) >= 0 || send(from, "cd", 2, 0) != 2 ||
	    setsockopt(from, SOL_UDP, UDP_CORK, &cork, sizeof(cork)) || recv(to, text, sizeof(text), 0) != 4 ||
	    memcmp(text, "abcd", 4))
		return fail("the datagram");
	pass();
	return 0;
}
