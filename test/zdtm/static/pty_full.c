#include "ptyutil.h"
#include "taskutil.h"

const char *test_doc = "Ptys that are full in both directions, more than the line disciplines hold";
const char *test_author = "The criu team";

/* How much fits depends on the sizes of the writes. */
static const size_t chunks[] = { 1, 14, 64, 500, 4000 };

static struct pty_pair ptys[ARRAY_SIZE(chunks)];
static size_t down[ARRAY_SIZE(chunks)], up[ARRAY_SIZE(chunks)];

/* Until nothing more is taken. */
static size_t fill(int fd, size_t chunk, unsigned int seed)
{
	unsigned char buf[4096];
	size_t n = 0;

	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return 0;
	for (int idle = 0; idle < 50;) {
		ssize_t written;

		for (size_t i = 0; i < chunk; i++)
			buf[i] = (n + i) * seed >> 2;
		written = write(fd, buf, chunk);
		if (written > 0) {
			n += written;
			idle = 0;
			continue;
		}
		idle++;
		usleep(1000);
	}
	return n;
}

static int drain(int fd, size_t n, unsigned int seed)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char want = i * seed >> 2;

		if (pty_expect(fd, &want, 1))
			return fail("at byte %zu of %zu", i, n);
	}
	return 0;
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		if (pty_open_pair(&ptys[i]) || pty_raw(ptys[i].slave))
			return 1;
		down[i] = fill(ptys[i].master, chunks[i], 13);
		up[i] = fill(ptys[i].slave, chunks[i], 37);
		if (down[i] < 8192 || up[i] < 8192)
			return pr_perror("only %zu and %zu bytes were taken", down[i], up[i]);
	}

	test_daemon();
	test_waitsig();

	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		if (drain(ptys[i].slave, down[i], 13) || drain(ptys[i].master, up[i], 37) ||
		    pty_expect_nothing(ptys[i].slave) || pty_expect_nothing(ptys[i].master))
			return fail("pty filled with %zu bytes at a time", chunks[i]);
	}
	pass();
	return 0;
}
