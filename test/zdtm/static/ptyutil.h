#ifndef ZDTM_PTYUTIL_H
#define ZDTM_PTYUTIL_H

/* Ptys, and what has to be read from them. Messages are printed; -1 or 1 is failure. */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "zdtmtst.h"

#define PTY_PATIENCE_MS 30000

struct pty_pair {
	int master, slave;
	char name[32];
};

static inline int pty_open_master(struct pty_pair *pty)
{
	pty->slave = -1;
	pty->master = posix_openpt(O_RDWR | O_NOCTTY);
	if (pty->master < 0 || grantpt(pty->master) || unlockpt(pty->master) ||
	    ptsname_r(pty->master, pty->name, sizeof(pty->name)))
		return pr_perror("master");
	return 0;
}

static inline int pty_open_slave(struct pty_pair *pty, int flags)
{
	pty->slave = open(pty->name, flags | O_NOCTTY);
	return pty->slave < 0 ? pr_perror("open %s", pty->name) : 0;
}

static inline int pty_open_pair(struct pty_pair *pty)
{
	return pty_open_master(pty) || pty_open_slave(pty, O_RDWR);
}

/* No processing in either direction. */
static inline int pty_raw(int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings))
		return pr_perror("tcgetattr");
	cfmakeraw(&settings);
	return tcsetattr(fd, TCSANOW, &settings) ? pr_perror("tcsetattr") : 0;
}

/* Canonical mode without echo. */
static inline int pty_lines(int fd)
{
	struct termios settings;

	if (tcgetattr(fd, &settings))
		return pr_perror("tcgetattr");
	settings.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	return tcsetattr(fd, TCSANOW, &settings) ? pr_perror("tcsetattr") : 0;
}

static inline int pty_write(int fd, const void *bytes, size_t n)
{
	return write(fd, bytes, n) == (ssize_t)n ? 0 : pr_perror("write of %zu bytes", n);
}

/* Exactly these bytes are to be read, in however many reads. */
static inline int pty_expect(int fd, const void *bytes, size_t n)
{
	static char buf[65536];
	size_t got = 0;

	while (got < n) {
		struct pollfd input = { .fd = fd, .events = POLLIN };
		ssize_t part;

		if (poll(&input, 1, PTY_PATIENCE_MS) != 1)
			return fail("only %zu of %zu bytes came", got, n);
		part = read(fd, buf + got, n - got);
		if (part <= 0)
			return fail("read after %zu of %zu bytes: %zd", got, n, part);
		got += part;
	}
	if (memcmp(buf, bytes, n))
		return fail("%zu bytes differ: %.*s", n, (int)(n < 60 ? n : 60), buf);
	return 0;
}

/* One read is to give exactly these bytes. */
static inline int pty_expect_line(int fd, const void *bytes, size_t n)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };
	char buf[8192];
	ssize_t got;

	if (poll(&input, 1, PTY_PATIENCE_MS) != 1)
		return fail("no line of %zu bytes came", n);
	got = read(fd, buf, sizeof(buf));
	if (got != (ssize_t)n || memcmp(buf, bytes, n))
		return fail("a line of %zd instead of %zu bytes: %.*s", got, n, (int)(got > 0 ? got : 0), buf);
	return 0;
}

/* Nothing more is to be read. */
static inline int pty_expect_nothing(int fd)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };

	return poll(&input, 1, 0) ? fail("more can be read, or an end: %#x", input.revents) : 0;
}

/* Does what was written at the other end wait in the line discipline? Its thread needs a moment. */
static inline int pty_wait_input(int fd, int n)
{
	for (int ms = 0; ms < PTY_PATIENCE_MS; ms++) {
		int have;

		if (ioctl(fd, FIONREAD, &have))
			return pr_perror("FIONREAD");
		if (have == n)
			return 0;
		usleep(1000);
	}
	return pr_perror("%d bytes did not come", n);
}

#endif
