#include <fcntl.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Packet pipes (O_DIRECT): borders between packets, sizes, both flags";

static const int sizes[] = { 1, 100, 4096, 7, 7, 2000, 1 };
#define NR ARRAY_SIZE(sizes)

int main(int argc, char **argv)
{
	int p[2], mixed[2], i, flags[2];
	char data[4096], back[8192];

	test_init(argc, argv);

	if (pipe2(p, O_DIRECT | O_NONBLOCK) || pipe2(mixed, O_NONBLOCK))
		return pr_perror("pipe");
	for (i = 0; i < (int)NR; i++) {
		pattern_fill(data, sizes[i], i);
		if (write(p[1], data, sizes[i]) != sizes[i])
			return pr_perror("write");
	}
	/* Packets behind a plain stretch: the mode of the writer was changed in between. */
	if (write(mixed[1], "ab", 2) != 2 || write(mixed[1], "cd", 2) != 2 ||
	    fcntl(mixed[1], F_SETFL, O_DIRECT | O_NONBLOCK) || write(mixed[1], "ef", 2) != 2 ||
	    write(mixed[1], "gh", 2) != 2)
		return pr_perror("write");
	for (i = 0; i < 2; i++)
		flags[i] = fcntl(p[i], F_GETFL);

	test_daemon();
	test_waitsig();

	for (i = 0; i < 2; i++)
		if (fcntl(p[i], F_GETFL) != flags[i])
			return fail("flags of end %d are %#x, were %#x", i, fcntl(p[i], F_GETFL), flags[i]);
	if (!(fcntl(mixed[1], F_GETFL) & O_DIRECT) || (fcntl(mixed[0], F_GETFL) & O_DIRECT))
		return fail("flags of the mixed pipe changed");
	for (i = 0; i < (int)NR; i++) {
		pattern_fill(data, sizes[i], i);
		if (read(p[0], back, sizeof(back)) != sizes[i] || memcmp(data, back, sizes[i]))
			return fail("packet %d changed", i);
	}
	if (read(p[0], back, 1) != -1 || errno != EAGAIN)
		return fail("a packet too many");
	/* A packet that is read in part loses the rest. */
	if (write(p[1], "12345", 5) != 5 || write(p[1], "67", 2) != 2 || read(p[0], back, 2) != 2 ||
	    read(p[0], back, 10) != 2 || memcmp(back, "67", 2))
		return fail("new packets are not kept apart");
	if (read(mixed[0], back, 6) != 6 || memcmp(back, "abcdef", 6) || read(mixed[0], back, 6) != 2 ||
	    memcmp(back, "gh", 2))
		return fail("the mixed pipe changed");

	pass();
	return 0;
}
