#include <stddef.h>

#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Datagram sockets with names: several connected to one, two connected to each other";
char *filename;
TEST_OPTION(filename, string, "path of the socket", 1);

static socklen_t abstract(struct sockaddr_un *addr, char which)
{
	addr->sun_family = AF_UNIX;
	return offsetof(struct sockaddr_un, sun_path) +
	       snprintf(addr->sun_path, sizeof(addr->sun_path), "%czdtm-sockets_dgram-%d-%c", 0, getpid(), which);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX }, a, b, from;
	int many[3], one, ends[2];
	socklen_t a_bytes, b_bytes, bytes = sizeof(from);
	unsigned char buf[16];

	test_init(argc, argv);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", filename);
	one = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(one, (struct sockaddr *)&addr, sizeof(addr)))
		return pr_perror("bind");
	for (int i = 0; i < 3; i++) {
		many[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
		if (connect(many[i], (struct sockaddr *)&addr, sizeof(addr)))
			return pr_perror("connect");
	}
	a_bytes = abstract(&a, 'a');
	b_bytes = abstract(&b, 'b');
	ends[0] = socket(AF_UNIX, SOCK_DGRAM, 0);
	ends[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (bind(ends[0], (struct sockaddr *)&a, a_bytes) || bind(ends[1], (struct sockaddr *)&b, b_bytes) ||
	    connect(ends[0], (struct sockaddr *)&b, b_bytes) || connect(ends[1], (struct sockaddr *)&a, a_bytes) ||
	    send_sequence(ends[0], 0, 7) || send_sequence(ends[0], 7, 9) || send_sequence(ends[1], 0, 3))
		return pr_perror("pair");

	test_daemon();
	test_waitsig();

	for (int i = 0; i < 3; i++)
		if (send_sequence(many[i], i, 10))
			return fail("send to the one");
	for (int i = 0; i < 3; i++)
		if (recv_sequence(one, i, 10, 0))
			return fail("message %d", i);
	if (!is_empty(one) || send_sequence(one, 0, 1) != -1 || errno != ENOTCONN)
		return fail("the one is connected");
	if (recvfrom(ends[1], buf, sizeof(buf), 0, (struct sockaddr *)&from, &bytes) != 7 || bytes != a_bytes ||
	    memcmp(&from, &a, bytes) || buf[6] != sequence_byte(6))
		return fail("message or sender of the pair");
	if (recv_sequence(ends[1], 7, 9, 0) || recv_sequence(ends[0], 0, 3, 0) || talk(ends[0], ends[1]))
		return fail("the pair");
	/* Who is connected takes messages of its peer only. */
	if (sendto(one, "x", 1, 0, (struct sockaddr *)&a, a_bytes) != -1 || errno != EPERM)
		return fail("the pair is open to others");
	if (unlink(filename))
		return fail("unlink");

	pass();
	return 0;
}
