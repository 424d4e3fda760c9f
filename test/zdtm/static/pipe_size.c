#include <fcntl.h>
#include <sys/ioctl.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "Sizes set with F_SETPIPE_SZ, with full, half full and empty pipes";

static struct {
	int size; /* 0 leaves the default */
	int fill; /* percent */
	int p[2], real_size, bytes;
} pipes[] = {
	{ .size = 4096, .fill = 100 },	     { .size = 4096, .fill = 0 },	  { .size = 0, .fill = 100 },
	{ .size = 0, .fill = 30 },	     { .size = 256 * 1024, .fill = 100 }, { .size = 1024 * 1024, .fill = 0 },
	{ .size = 1024 * 1024, .fill = 60 },
};
#define NR ARRAY_SIZE(pipes)

static char data[1024 * 1024], back[1024 * 1024];

int main(int argc, char **argv)
{
	unsigned int i;
	int queued;

	test_init(argc, argv);

	for (i = 0; i < NR; i++) {
		if (pipe2(pipes[i].p, O_NONBLOCK) ||
		    (pipes[i].size && fcntl(pipes[i].p[0], F_SETPIPE_SZ, pipes[i].size) < pipes[i].size))
			return pr_perror("pipe of %d bytes", pipes[i].size);
		pipes[i].real_size = fcntl(pipes[i].p[1], F_GETPIPE_SZ);
		pipes[i].bytes = pipes[i].real_size / 100 * pipes[i].fill;
		if (pipes[i].fill == 100)
			pipes[i].bytes = pipes[i].real_size;
		pattern_fill(data, pipes[i].bytes, i);
		if (pipes[i].bytes && write(pipes[i].p[1], data, pipes[i].bytes) != pipes[i].bytes)
			return pr_perror("write of %d bytes", pipes[i].bytes);
	}

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++) {
		if (fcntl(pipes[i].p[0], F_GETPIPE_SZ) != pipes[i].real_size)
			return fail("pipe %u has %d bytes, had %d", i, fcntl(pipes[i].p[0], F_GETPIPE_SZ),
				    pipes[i].real_size);
		if (ioctl(pipes[i].p[0], FIONREAD, &queued) || queued != pipes[i].bytes)
			return fail("pipe %u holds %d bytes, held %d", i, queued, pipes[i].bytes);
		/* Full means full: not one byte more goes in. */
		if (pipes[i].fill == 100 && (write(pipes[i].p[1], "x", 1) != -1 || errno != EAGAIN))
			return fail("pipe %u is not full", i);
		pattern_fill(data, pipes[i].bytes, i);
		if (pipes[i].bytes && (read_data(pipes[i].p[0], (unsigned char *)back, pipes[i].bytes) ||
				       memcmp(data, back, pipes[i].bytes)))
			return fail("content of pipe %u changed", i);
		if (read(pipes[i].p[0], back, 1) != -1 || errno != EAGAIN)
			return fail("pipe %u held too much", i);
		if (write(pipes[i].p[1], data, pipes[i].real_size) != pipes[i].real_size)
			return fail("pipe %u does not take what it should", i);
	}

	pass();
	return 0;
}
