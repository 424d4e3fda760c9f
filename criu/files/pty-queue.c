/*
 * A pty's queues cannot be looked at. What waits for a slave is taken by
 * reading it: in canonical mode line by line, as only a read shows where
 * a line ends, and what has no end yet after canonical mode is switched off. It
 * is put back by writing it to the master while nothing is processed but
 * ends of lines, and what could be taken for one is quoted. What waits for a master went
 * through output processing already: it is written to the slave without.
 *
 * Input is processed by a thread of the kernel, so settings may be changed back
 * only when it is through: that is seen by the count of bytes, or in
 * canonical mode, which counts whole lines only, by a ^S sent after them, which stops output.
 *
 * Lost: the column that backspace over a tab is echoed by, and whether ^V was the last key.
 */
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "files/pty-queue.h"

#define QUEUE_BYTES 4095 /* what a line discipline holds; what does not fit waits unprocessed */
#define PATIENCE_MS 10000

enum { CHAR_EOF = 0x04, CHAR_START = 0x11, CHAR_STOP = 0x13, CHAR_QUOTE = 0x16 };

static void queue_free(struct pty_queue *queue)
{
	VEC_FREE(&queue->bytes);
	VEC_FREE(&queue->lines);
}

void pty_queues_free(struct pty_queues *queues)
{
	queue_free(&queues->slave);
	queue_free(&queues->master);
}

static int get_settings(int fd, struct termios2 *ret)
{
	return ioctl(fd, TCGETS2, ret) ? -errno : 0;
}

static int set_settings(int fd, const struct termios2 *settings)
{
	return ioctl(fd, TCSETS2, settings) ? -errno : 0;
}

static bool is_canonical(const struct termios2 *settings)
{
	return (settings->c_lflag & ICANON) && !(settings->c_lflag & EXTPROC);
}

bool pty_is_canonical(int fd)
{
	struct termios2 settings;

	return !get_settings(fd, &settings) && is_canonical(&settings);
}

int pty_open_slave(int master, int flags)
{
	int locked = 0, unlock = 0, fd, err;

	if (ioctl(master, TIOCGPTLCK, &locked) || (locked && ioctl(master, TIOCSPTLCK, &unlock)))
		return -errno;
	fd = ioctl(master, TIOCGPTPEER, flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	err = fd < 0 ? -errno : 0;
	if (locked && ioctl(master, TIOCSPTLCK, &locked) && !err)
		err = -errno;
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/* --- taking ------------------------------------------------------------------ */

static void add_bytes(struct pty_queue *queue, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		VEC_PUSH(&queue->bytes, bytes[i]);
}

/* All that can be read now. @fd does not block. */
static int read_bytes(int fd, struct pty_queue *queue)
{
	uint8_t buf[4 * QUEUE_BYTES];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		add_bytes(queue, buf, n);
	return n < 0 && errno != EAGAIN ? -errno : 0;
}

/* A read gives one line; nothing is an end of file at the begin of one. */
static int read_lines(int fd, struct pty_queue *queue)
{
	uint8_t buf[4 * QUEUE_BYTES];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) >= 0) {
		/* A terminal that is hung up meanwhile is at its end for ever. */
		if (queue->lines.n > 4 * QUEUE_BYTES)
			return -EIO;
		add_bytes(queue, buf, n);
		VEC_PUSH(&queue->lines, n);
	}
	return errno != EAGAIN ? -errno : 0;
}

/* Does the line discipline do anything to what comes in? */
static bool is_processed(const struct termios2 *settings)
{
	return (settings->c_lflag & (ICANON | ECHO | ECHONL | ISIG)) ||
	       (settings->c_iflag & (ISTRIP | INLCR | IGNCR | ICRNL | IUCLC | IXON | PARMRK));
}

/* It is full a little earlier where a byte may become three. */
static bool is_full(const struct termios2 *settings, size_t n)
{
	return is_processed(settings) && n + (settings->c_iflag & PARMRK ? 2 : 0) >= QUEUE_BYTES;
}

bool pty_is_overfull(int slave)
{
	struct termios2 settings;
	int n;

	return !get_settings(slave, &settings) && !ioctl(slave, FIONREAD, &n) && is_full(&settings, n);
}

static int take_input(int slave, struct pty_queue *queue)
{
	struct termios2 settings, raw;
	int undo, err = get_settings(slave, &settings);

	if (err)
		return err;
	queue->canonical = queue->parted = is_canonical(&settings);
	if (queue->canonical) {
		err = read_lines(slave, queue);
		raw = settings;
		raw.c_lflag &= ~ICANON;
		if (!err)
			err = set_settings(slave, &raw);
		if (err)
			return err;
	}
	err = read_bytes(slave, queue);
	if (queue->canonical) {
		undo = set_settings(slave, &settings);
		err = err ? err : undo;
	}
	if (!err && is_full(&settings, queue->bytes.n + queue->lines.n))
		return -EOVERFLOW;
	return err;
}

/* The master's description may be a blocking one, and is not ours to change. */
static int take_output(int master, struct pty_queue *queue)
{
	struct pollfd input = { .fd = master, .events = POLLIN };
	uint8_t buf[4 * QUEUE_BYTES];
	ssize_t n;

	while (poll(&input, 1, 0) == 1 && (input.revents & POLLIN)) {
		n = read(master, buf, sizeof(buf));
		/* It is so behind the last byte when nobody has the slave open. */
		if (n < 0 && errno == EIO)
			break;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		add_bytes(queue, buf, n);
	}
	return 0;
}

static bool can_write(int fd)
{
	struct pollfd output = { .fd = fd, .events = POLLOUT };

	return poll(&output, 1, 0) == 1 && (output.revents & POLLOUT);
}

int pty_take(int master, int slave, struct pty_queues *ret)
{
	int err = take_input(slave, &ret->slave);

	if (!err)
		err = take_output(master, &ret->master);
	if (err)
		return err;
	/* There is room at both ends: who can't write is stopped. */
	ret->slave.stopped = !can_write(slave);
	ret->master.stopped = !can_write(master);
	return 0;
}

/* --- putting ------------------------------------------------------------------ */

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/*
 * How much a queue holds depends on the sizes of the writes: the kernel has buffers of 512 bytes, and one of any size, up
 * to this, while there is room at all. Small writes that fill them and a large one in the end hold as much as any.
 */
#define SMALL_WRITE 64
#define LAST_WRITE  1700

static int write_some(int fd, const uint8_t *bytes, size_t n)
{
	int ms = 0;

	for (size_t done = 0; done < n;) {
		size_t rest = n - done;
		ssize_t written = write(fd, bytes + done, rest > LAST_WRITE ? SMALL_WRITE : rest);

		if (written < 0 && errno != EAGAIN)
			return -errno;
		if (written > 0) {
			done += written;
			ms = 0;
			continue;
		}
		if (ms++ == PATIENCE_MS)
			return -ENOSPC;
		nap();
	}
	return 0;
}

/* A description of the tree's that blocks is given no more than fits, and made not to block only if nothing else helps. */
static int write_bytes(int fd, const uint8_t *bytes, size_t n)
{
	int flags = fcntl(fd, F_GETFL), err;
	size_t done = 0;

	if (flags < 0)
		return -errno;
	if (flags & O_NONBLOCK)
		return write_some(fd, bytes, n);
	for (; done < n; done++) {
		struct pollfd output = { .fd = fd, .events = POLLOUT };

		if (poll(&output, 1, 100) != 1 || !(output.revents & POLLOUT))
			break;
		if (write(fd, bytes + done, 1) != 1)
			return -errno;
	}
	if (done == n)
		return 0;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	err = write_some(fd, bytes + done, n - done);
	return fcntl(fd, F_SETFL, flags) && !err ? -errno : err;
}

static int wait_for_count(int fd, int count)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		int n;

		if (ioctl(fd, FIONREAD, &n))
			return -errno;
		if (n >= count)
			return 0;
		nap();
	}
	return -ENOSPC;
}

static int wait_for_output(int slave, bool possible)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (can_write(slave) == possible)
			return 0;
		nap();
	}
	return -ETIMEDOUT;
}

static int send_char(int master, uint8_t c)
{
	return write_bytes(master, &c, 1);
}

static void quote(struct pty_queue *out, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || bytes[i] == CHAR_EOF || bytes[i] == CHAR_START || bytes[i] == CHAR_STOP ||
		    bytes[i] == CHAR_QUOTE)
			VEC_PUSH(&out->bytes, CHAR_QUOTE);
		VEC_PUSH(&out->bytes, bytes[i]);
	}
}

/* What has to be typed. */
static void type_lines(const struct pty_queue *queue, struct pty_queue *out)
{
	const uint8_t *at = queue->bytes.data, *end = at + queue->bytes.n;
	const uint8_t *newline;

	for (size_t i = 0; i < queue->lines.n; i++) {
		uint32_t n = queue->lines.data[i];
		bool ends = n && at[n - 1] == '\n';

		quote(out, at, n - ends);
		VEC_PUSH(&out->bytes, ends ? '\n' : CHAR_EOF);
		at += n;
	}
	while (!queue->parted && at < end && (newline = memchr(at, '\n', end - at))) {
		quote(out, at, newline - at);
		VEC_PUSH(&out->bytes, '\n');
		at = newline + 1;
	}
	quote(out, at, end - at);
}

static int put_lines(int master, int slave, const struct pty_queue *queue)
{
	cleanup_with(queue_free) struct pty_queue typed = { 0 };
	int err;

	type_lines(queue, &typed);
	VEC_PUSH(&typed.bytes, CHAR_STOP);
	err = write_bytes(master, typed.bytes.data, typed.bytes.n);
	if (!err)
		err = wait_for_output(slave, false);
	if (!err)
		err = send_char(master, CHAR_START);
	return err ? err : wait_for_output(slave, true);
}

static int put_input(int master, int slave, const struct pty_queue *queue)
{
	struct termios2 settings, quiet;
	int undo, err;

	if (!queue->bytes.n && !queue->lines.n)
		return 0;
	err = get_settings(slave, &settings);
	if (err)
		return err;
	quiet = settings;
	quiet.c_iflag = queue->canonical ? IXON : 0;
	quiet.c_lflag = queue->canonical ? ICANON | IEXTEN : 0;
	memset(quiet.c_cc, 0, sizeof(quiet.c_cc));
	quiet.c_cc[VMIN] = 1;
	if (queue->canonical) {
		quiet.c_cc[VEOF] = CHAR_EOF;
		quiet.c_cc[VLNEXT] = CHAR_QUOTE;
		quiet.c_cc[VSTART] = CHAR_START;
		quiet.c_cc[VSTOP] = CHAR_STOP;
	}
	err = set_settings(slave, &quiet);
	if (err)
		return err;
	if (queue->canonical)
		err = put_lines(master, slave, queue);
	else
		err = write_bytes(master, queue->bytes.data, queue->bytes.n);
	if (!err && !queue->canonical)
		err = wait_for_count(slave, min_u64(queue->bytes.n, QUEUE_BYTES));
	undo = set_settings(slave, &settings);
	return err ? err : undo;
}

static int put_output(int master, int slave, const struct pty_queue *queue)
{
	struct termios2 settings, raw;
	int undo, err;

	if (!queue->bytes.n)
		return 0;
	err = get_settings(slave, &settings);
	if (err)
		return err;
	raw = settings;
	raw.c_oflag &= ~OPOST;
	err = set_settings(slave, &raw);
	if (err)
		return err;
	err = write_bytes(slave, queue->bytes.data, queue->bytes.n);
	if (!err)
		err = wait_for_count(master, min_u64(queue->bytes.n, QUEUE_BYTES));
	undo = set_settings(slave, &settings);
	return err ? err : undo;
}

/* tcflow(3) lets go what either way has stopped. */
static int start_output(int fd)
{
	if (can_write(fd))
		return 0;
	return ioctl(fd, TCXONC, TCOOFF) || ioctl(fd, TCXONC, TCOON) ? -errno : 0;
}

/* Where ^S is of use it was that, and ^Q has to end it. */
static int stop_slave(int master, int slave)
{
	struct termios2 settings;
	int err = get_settings(slave, &settings);

	if (err)
		return err;
	if (!(settings.c_iflag & IXON) || !settings.c_cc[VSTOP])
		return ioctl(slave, TCXONC, TCOOFF) ? -errno : 0;
	err = send_char(master, settings.c_cc[VSTOP]);
	return err ? err : wait_for_output(slave, false);
}

/*
 * What was written can be read before the kernel's thread has told of it by signal (O_ASYNC). It has the line discipline in
 * use while it does, and setting the one that is there already waits until nobody has.
 */
static void wait_for_signals(int fd)
{
	const int disc = N_TTY;
	struct pollfd input = { .fd = fd, .events = POLLIN };

	/* With nothing to read, this one waits for the thread; neither can fail, nor matter if it did. */
	poll(&input, 1, 0);
	ioctl(fd, TIOCSETD, &disc);
}

int pty_put(int master, int slave, const struct pty_queues *queues)
{
	int err = start_output(slave);

	if (!err)
		err = start_output(master);
	if (!err)
		err = put_input(master, slave, &queues->slave);
	if (!err)
		err = put_output(master, slave, &queues->master);
	if (!err && queues->slave.stopped)
		err = stop_slave(master, slave);
	if (!err && queues->master.stopped && ioctl(master, TCXONC, TCOOFF))
		err = -errno;
	wait_for_signals(slave);
	wait_for_signals(master);
	return err;
}
