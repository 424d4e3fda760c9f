/* What waits in a pty is taken, and put into another one, where it reads the same. No root. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "files/pty-queue.h"
#include "util/test.h"

struct pair {
	int master, slave;
};

static bool open_pair(struct pair *pair, bool canonical)
{
	struct termios settings;
	int unlock = 0;

	pair->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pair->master < 0 || ioctl(pair->master, TIOCSPTLCK, &unlock))
		return false;
	pair->slave = pty_open_slave(pair->master, O_RDWR);
	if (pair->slave < 0 || tcgetattr(pair->slave, &settings))
		return false;
	cfmakeraw(&settings);
	if (canonical)
		settings.c_lflag |= ICANON;
	return !tcsetattr(pair->slave, TCSANOW, &settings);
}

static void close_pair(struct pair *pair)
{
	close(pair->slave);
	close(pair->master);
}

/* Input is processed by a thread of the kernel. */
static void let_arrive(struct pair *pair, int whole)
{
	struct pollfd input = { .fd = pair->slave, .events = POLLIN };
	int have = -1;

	for (int i = 0; i < 5000 && have != whole; i++) {
		usleep(1000);
		/* Makes the kernel hurry if there is nothing yet. */
		poll(&input, 1, 0);
		if (ioctl(pair->slave, FIONREAD, &have))
			break;
	}
	CHECK_EQ(have, whole);
}

static void check_same(const struct pty_queue *one, const struct pty_queue *other)
{
	CHECK_EQ(one->bytes.n, other->bytes.n);
	CHECK(!one->bytes.n || !memcmp(one->bytes.data, other->bytes.data, one->bytes.n));
	CHECK_EQ(one->canonical, other->canonical);
	CHECK_EQ(one->lines.n, other->lines.n);
	for (size_t i = 0; i < one->lines.n && i < other->lines.n; i++)
		CHECK_EQ(one->lines.data[i], other->lines.data[i]);
	CHECK_EQ(one->stopped, other->stopped);
}

/* @whole: how many bytes the slave can read of @down. */
static void check_moves(bool canonical, const char *down, size_t n_down, int whole, const char *up, size_t n_up,
			bool stopped)
{
	struct pty_queues taken = { 0 }, again = { 0 };
	struct pair from, to;

	if (!CHECK(open_pair(&from, canonical) && open_pair(&to, canonical)))
		return;
	CHECK_EQ(write(from.slave, up, n_up), n_up);
	CHECK_EQ(write(from.master, down, n_down), n_down);
	let_arrive(&from, whole);
	CHECK(!stopped || !tcflow(from.slave, TCOOFF));
	CHECK_EQ(pty_take(from.master, from.slave, &taken), 0);
	CHECK_EQ(taken.master.bytes.n, n_up);
	CHECK_EQ(pty_put(to.master, to.slave, &taken), 0);
	CHECK_EQ(pty_take(to.master, to.slave, &again), 0);
	check_same(&taken.slave, &again.slave);
	check_same(&taken.master, &again.master);
	CHECK_EQ(taken.slave.stopped, stopped);
	pty_queues_free(&taken);
	pty_queues_free(&again);
	close_pair(&from);
	close_pair(&to);
}

#define MOVES(canonical, down, whole, up, stopped)                                                                     \
	check_moves(canonical, down, sizeof(down) - 1, whole, up, sizeof(up) - 1, stopped)

/* As mainline's images have it: newlines are all that is known of lines. */
static void test_unparted(void)
{
	static const char text[] = "one\n\ntwo\nrest";
	struct pty_queues queues = { .slave.canonical = true };
	char buf[64];
	struct pair pair;

	if (!CHECK(open_pair(&pair, true)))
		return;
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		VEC_PUSH(&queues.slave.bytes, text[i]);
	CHECK_EQ(pty_put(pair.master, pair.slave, &queues), 0);
	CHECK_EQ(read(pair.slave, buf, sizeof(buf)), 4);
	CHECK_EQ(read(pair.slave, buf, sizeof(buf)), 1);
	CHECK_EQ(read(pair.slave, buf, sizeof(buf)), 4);
	CHECK(read(pair.slave, buf, sizeof(buf)) < 0 && errno == EAGAIN);
	CHECK_EQ(write(pair.master, "\n", 1), 1);
	let_arrive(&pair, 5);
	CHECK(read(pair.slave, buf, sizeof(buf)) == 5 && !memcmp(buf, "rest\n", 5));
	pty_queues_free(&queues);
	close_pair(&pair);
}

/* Echoed, or turned into a signal, on its way through the line discipline: it must not be read. */
static void test_too_much(void)
{
	struct pty_queues queues = { 0 };
	struct termios settings;
	char block[64];
	struct pair pair;
	size_t n = 0;

	if (!CHECK(open_pair(&pair, false)))
		return;
	CHECK(!tcgetattr(pair.slave, &settings));
	settings.c_lflag |= ISIG;
	CHECK(!tcsetattr(pair.slave, TCSANOW, &settings));
	memset(block, 'x', sizeof(block));
	for (; n < 6400; n += sizeof(block))
		CHECK_EQ(write(pair.master, block, sizeof(block)), sizeof(block));
	let_arrive(&pair, 4095);
	CHECK_EQ(pty_take(pair.master, pair.slave, &queues), -EOVERFLOW);
	/* Nothing is lost by that. */
	CHECK_EQ(queues.slave.bytes.n, n);
	pty_queues_free(&queues);
	close_pair(&pair);
}

int main(void)
{
	MOVES(false, "", 0, "", false);
	MOVES(false, "raw\n\004\026\021\023\003\0bytes", 15, "up\n\0x", false);
	MOVES(true, "line\nhalf", 5, "out", false);
	MOVES(true, "only half", 0, "", false);
	MOVES(true, "\n\n\n", 3, "", true);
	MOVES(false, "down", 4, "up", true);
	test_unparted();
	test_too_much();
	return test_end();
}
