#include "zdtmtst.h"
#include "unixprop.h"

const char *test_doc = "Queued datagrams and records keep their boundaries, empty ones among them";

/* Empty ones at the start, in the middle, two in a row. */
static const size_t sizes[] = { 0, 1, 9000, 0, 3, 3, 0, 0, 12000, 1, 2 };

static int fill(int fd)
{
	size_t done = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); done += sizes[i++])
		if (send_sequence(fd, done, sizes[i]))
			return pr_perror("send");
	return 0;
}

static int check(int fd)
{
	size_t done = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); done += sizes[i++])
		if (recv_sequence(fd, done, sizes[i], 0))
			return fail("message %zu", i);
	return is_empty(fd) ? 0 : fail("more than was sent");
}

int main(int argc, char **argv)
{
	int dgram[2], seqpacket[2];

	test_init(argc, argv);

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, dgram) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, seqpacket))
		return pr_perror("socketpair");
	if (fill(dgram[0]) || fill(seqpacket[0]) || send_sequence(dgram[1], 4, 40))
		return 1;

	test_daemon();
	test_waitsig();

	if (check(dgram[1]) || check(seqpacket[1]))
		return 1;
	if (recv_sequence(dgram[0], 4, 40, 0) || talk(dgram[0], dgram[1]) || talk(seqpacket[0], seqpacket[1]))
		return fail("the ends are not connected");

	pass();
	return 0;
}
