/*
 * Channels under load. Each has a writer and a reader, processes of their own, which go on through dump and restore. The
 * writer numbers its messages, the reader checks number, length and every byte of each, and in the end as many must have come
 * as were sent, and nothing may be left. A system call that fails, if only with EINTR, is a fault: nobody sends them signals.
 *
 * By turns writer and reader are the slower one, so that the channel is now nearly empty and now full.
 */
#ifndef ZDTM_STREAMS_H
#define ZDTM_STREAMS_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

#define TEXT_BYTES    900
#define TURN_MESSAGES 256
#define START_S	      60 /* until each channel has carried some messages */
#define STALL_S	      60 /* without one message of any channel */
#define WINDOW	      32 /* messages under way where the kernel drops what does not fit */

struct message {
	uint64_t number;
	uint8_t text[TEXT_BYTES];
};

#define LAST UINT64_MAX /* number of the message that says that there are no more; it has one byte of text */

/* In shared memory. */
struct state {
	volatile uint64_t sent, received;
	volatile int done; /* the reader is content */
};

struct channel {
	const char *what;
	int (*make)(struct channel *ch);
	int stream;	       /* no ends of messages */
	unsigned int max_text; /* 0: TEXT_BYTES */
	int newline;	       /* ends each message */
	/* NULL: write(2), read(2), poll(2) of the descriptors. */
	ssize_t (*send)(struct channel *ch, const void *message, size_t bytes);
	ssize_t (*receive)(struct channel *ch, void *buf, size_t bytes);
	int (*left)(struct channel *ch);
	/* NULL: numbered messages. */
	int (*writer)(struct channel *ch);
	int (*reader)(struct channel *ch);

	/* The reader's, the writer's; and where a window is needed, the same of the reader's credits. */
	int in, out, credit_in, credit_out;
	struct state *state;
	pid_t pids[2];
};

/* In shared memory. 1: no more messages, 2: end. */
static futex_t *streams_stop;

/* --- messages ------------------------------------------------------------------- */

static inline size_t message_fill(const struct channel *ch, uint64_t number, struct message *message)
{
	size_t n = number == LAST ? 1 : 1 + number * 2654435761U % (ch->max_text ? ch->max_text : TEXT_BYTES);

	message->number = number;
	/* No control character: where lines are read, some would end one. */
	for (size_t i = 0; i < n; i++)
		message->text[i] = 'A' + (uint8_t)(number * 31 + (number >> 8) + i * 7) % 26;
	if (ch->newline)
		message->text[n - 1] = '\n';
	return sizeof(message->number) + n;
}

static inline int send_message(struct channel *ch, uint64_t number)
{
	struct message message;
	size_t bytes = message_fill(ch, number, &message);
	char credit;

	if (ch->credit_in && read(ch->credit_in, &credit, 1) != 1)
		return pr_perror("%s: credit for message %lu", ch->what, number);
	for (size_t done = 0; done < bytes;) {
		const uint8_t *from = (const uint8_t *)&message + done;
		ssize_t n = ch->send ? ch->send(ch, from, bytes - done) : write(ch->out, from, bytes - done);

		if (n <= 0 || (!ch->stream && (size_t)n < bytes))
			return pr_perror("%s: message %lu: sent %zd of %zu bytes", ch->what, number, n, bytes - done);
		done += n;
	}
	return 0;
}

static inline ssize_t receive(struct channel *ch, void *buf, size_t bytes)
{
	return ch->receive ? ch->receive(ch, buf, bytes) : read(ch->in, buf, bytes);
}

static inline int receive_exactly(struct channel *ch, void *buf, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = receive(ch, (uint8_t *)buf + done, bytes - done);

		if (n <= 0)
			return pr_perror("%s: received %zd", ch->what, n);
		done += n;
	}
	return 0;
}

/* 1: the last one; 0; -1 with a message. */
static inline int receive_message(struct channel *ch, uint64_t number)
{
	struct message wanted, found = { 0 };
	size_t bytes;
	ssize_t n = 0;

	if (ch->stream) {
		if (receive_exactly(ch, &found.number, sizeof(found.number)))
			return -1;
	} else {
		n = receive(ch, &found, sizeof(found));
		if (n < (ssize_t)sizeof(found.number))
			return pr_perror("%s: received %zd", ch->what, n), -1;
	}
	if (found.number != number && found.number != LAST)
		return pr_err("%s: message %lu came in place of %lu\n", ch->what, found.number, number), -1;
	bytes = message_fill(ch, found.number, &wanted);
	if (ch->stream) {
		if (receive_exactly(ch, found.text, bytes - sizeof(found.number)))
			return -1;
	} else if ((size_t)n != bytes) {
		return pr_err("%s: message %lu came with %zd of %zu bytes\n", ch->what, number, n, bytes), -1;
	}
	if (memcmp(&found, &wanted, bytes))
		return pr_err("%s: message %lu came with another text\n", ch->what, number), -1;
	return found.number == LAST;
}

/* --- writer and reader ----------------------------------------------------------- */

static inline void streams_pause(uint64_t number, unsigned int turn)
{
	if (number / TURN_MESSAGES % 2 == turn && number % 4 == 0)
		usleep(1000);
}

static inline int write_messages(struct channel *ch)
{
	uint64_t number;

	for (number = 0; !futex_get(streams_stop); number++) {
		if (send_message(ch, number))
			return 1;
		ch->state->sent = number + 1;
		streams_pause(number, 0);
	}
	return send_message(ch, LAST);
}

static inline int anything_left(struct channel *ch)
{
	struct pollfd input = { .fd = ch->in, .events = POLLIN };

	if (ch->left)
		return ch->left(ch);
	return poll(&input, 1, 0) && (input.revents & POLLIN);
}

static inline int read_messages(struct channel *ch)
{
	for (uint64_t number = 0;; number++) {
		int end = receive_message(ch, number);

		if (end < 0)
			return 1;
		if (end && number != ch->state->sent)
			return pr_err("%s: %lu messages of %lu came\n", ch->what, number, ch->state->sent);
		if (end)
			return anything_left(ch) ? pr_err("%s: something is left\n", ch->what) : 0;
		ch->state->received = number + 1;
		if (ch->credit_out && write(ch->credit_out, "c", 1) != 1)
			return pr_perror("%s: credit", ch->what);
		streams_pause(number, 1);
	}
}

/* Both keep their end open until everybody is through. */
static inline int streams_run(struct channel *ch, int is_reader)
{
	int bad;

	if (is_reader)
		bad = ch->reader ? ch->reader(ch) : read_messages(ch);
	else
		bad = ch->writer ? ch->writer(ch) : write_messages(ch);
	if (bad)
		return 1;
	if (is_reader)
		ch->state->done = 1;
	futex_wait_until(streams_stop, 2);
	return 0;
}

static inline int make_credits(struct channel *ch)
{
	int fds[2];

	if (pipe(fds))
		return -1;
	ch->credit_in = fds[0];
	ch->credit_out = fds[1];
	for (int i = 0; i < WINDOW; i++)
		if (write(fds[1], "c", 1) != 1)
			return -1;
	return 0;
}

/* --- the test -------------------------------------------------------------------- */

static inline int close_one(int fd)
{
	return fd ? close(fd) : 0;
}

static inline int streams_start(struct channel *ch)
{
	ch->state = shared_alloc(sizeof(*ch->state));
	if (!ch->state || ch->make(ch))
		return pr_perror("%s", ch->what);
	for (int i = 0; i < 2; i++) {
		ch->pids[i] = fork();
		if (ch->pids[i] < 0)
			return pr_perror("fork");
		if (!ch->pids[i]) {
			signal(SIGTERM, SIG_DFL);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(streams_run(ch, i));
		}
	}
	/* The others must not keep its ends open. */
	return close_one(ch->in) | close_one(ch->credit_in) | close_one(ch->credit_out) |
	       (ch->out != ch->in ? close_one(ch->out) : 0);
}

/* One that has ended has found a fault, and said so. */
static inline int streams_ended(struct channel *channels, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			if (waitpid(channels[i].pids[k], NULL, WNOHANG))
				return fail("%s: the %s has ended", channels[i].what, k ? "reader" : "writer");
	return 0;
}

static inline uint64_t streams_least(const struct channel *channels, unsigned int n)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < n; i++)
		least = channels[i].state->received < least ? channels[i].state->received : least;
	return least;
}

static inline uint64_t streams_sum(const struct channel *channels, unsigned int n)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		sum += channels[i].state->received + channels[i].state->done;
	return sum;
}

static inline int streams_all_done(const struct channel *channels, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!channels[i].state->done)
			return 0;
	return 1;
}

static inline int streams_stalled(const struct channel *channels, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!channels[i].state->done)
			pr_err("%s: %lu messages sent, %lu received\n", channels[i].what, channels[i].state->sent,
			       channels[i].state->received);
	return fail("nothing has moved for %d s", STALL_S);
}

/* Each channel carries on for a while after the restore before the writers are told to stop. */
static inline int streams_finish(struct channel *channels, unsigned int n)
{
	uint64_t now, last = 0, wanted[n];
	int moved = 0, still = 0;

	for (unsigned int i = 0; i < n; i++)
		wanted[i] = channels[i].state->received + 100;
	while (!streams_all_done(channels, n)) {
		if (streams_ended(channels, n))
			return 1;
		now = streams_sum(channels, n);
		still = now == last ? still + 1 : 0;
		last = now;
		if (still > STALL_S * 100)
			return streams_stalled(channels, n);
		moved = 1;
		for (unsigned int i = 0; i < n; i++)
			moved &= channels[i].state->received >= wanted[i];
		if (moved)
			futex_set_and_wake(streams_stop, 1);
		usleep(10000);
	}
	futex_set_and_wake(streams_stop, 2);
	for (unsigned int i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			if (child_reap(channels[i].pids[k]))
				return 1;
	return 0;
}

/* What main() returns. */
static inline int streams_test(int argc, char **argv, struct channel *channels, unsigned int n)
{
	uint64_t end;

	test_init(argc, argv);
	streams_stop = shared_alloc(sizeof(*streams_stop));
	if (!streams_stop)
		return 1;
	for (unsigned int i = 0; i < n; i++)
		if (streams_start(&channels[i]))
			return 1;
	end = now_ns(CLOCK_MONOTONIC) + START_S * 1000000000ULL;
	while (streams_least(channels, n) < 2 * TURN_MESSAGES) {
		if (streams_ended(channels, n) || now_ns(CLOCK_MONOTONIC) > end)
			return pr_err("the channels did not get going\n");
		usleep(10000);
	}

	test_daemon();
	test_waitsig();

	if (streams_ended(channels, n) || streams_finish(channels, n))
		return 1;
	for (unsigned int i = 0; i < n; i++)
		test_msg("%s: %lu messages\n", channels[i].what, channels[i].state->received);
	pass();
	return 0;
}

#endif
