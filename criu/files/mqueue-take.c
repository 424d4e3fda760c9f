/*
 * Taking what waits in queues without a name, which only receiving can do, and saving it in mqueue-data.img. As with
 * terminals (pty-take.c) the guard does it, as the first part of the commit, while the tree stands still, and gives it back if
 * the tree goes on. A task that waits in mq_receive(3) or mq_send(3) has left the queue of waiters while it is
 * stopped. Messages come out by priority, and those of one priority in the order they were sent; put back in that
 * order they lie as before.
 */
#include <errno.h>
#include <mqueue.h>
#include <string.h>
#include <time.h>

#include "files/mqueue.h"
#include "image/image.h"
#include "util/log.h"

#define PUT_TRIES 200 /* a message that is put back, should the queue be full */

struct message {
	unsigned int priority;
	size_t bytes;
	char *text; /* owned */
};

struct mqueue_taken {
	VEC(struct message) messages;
};

/* --- taking ------------------------------------------------------------------ */

static int take_one(int fd, const struct mqueue_note *note, struct mqueue_taken *taken)
{
	auto_free char *text = xalloc(note->msgsize);

	for (;;) {
		unsigned int priority;
		ssize_t n = mq_receive(fd, text, note->msgsize, &priority);
		struct message *message;

		if (n < 0)
			return errno == EAGAIN ? 0 : fail_errno("POSIX message queue %u: receive", note->queue_id);
		message = VEC_ADD(&taken->messages);
		*message = (struct message){ priority, (size_t)n, xalloc((size_t)n + 1) };
		memcpy(message->text, text, (size_t)n);
	}
}

static int write_entry(struct image_writer *writer, uint32_t id, const struct mqueue_taken *taken)
{
	MqueueDataEntry entry = MQUEUE_DATA_ENTRY__INIT;
	size_t n = taken->messages.n;
	auto_free MqueueMessageEntry *messages = xalloc(n * sizeof(*messages));
	auto_free MqueueMessageEntry **list = xalloc(n * sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		const struct message *message = &taken->messages.data[i];

		mqueue_message_entry__init(&messages[i]);
		messages[i].priority = message->priority;
		messages[i].text = (ProtobufCBinaryData){ .data = (uint8_t *)message->text, .len = message->bytes };
		list[i] = &messages[i];
	}
	entry.queue_id = id;
	entry.messages = list;
	entry.n_messages = n;
	return n ? image_write_entry(writer, &entry.base) : 0;
}

static int save(int dir_fd, const struct mqueue_notes *notes, size_t n)
{
	struct image_dir dir = { .fd = dir_fd, .path = "images directory" };
	struct image_writer *writer;
	int err = image_create(&dir, IMAGE_MQUEUE_DATA, 0, &writer);

	if (err)
		return err;
	for (size_t i = 0; !err && i < n; i++)
		err = write_entry(writer, notes->of[i].queue_id, &notes->taken[i]);
	if (err) {
		image_abort(writer);
		return err;
	}
	err = image_finish(writer);
	return err ? err : image_sync(&dir);
}

int mqueue_take_all(int dir_fd, const int *fds, size_t n, void *data)
{
	struct mqueue_notes *notes = data;
	int err = 0;

	notes->taken = xalloc(n * sizeof(*notes->taken));
	for (size_t i = 0; !err && i < n; i++)
		err = take_one(fds[i], &notes->of[i], &notes->taken[i]);
	return err ? err : save(dir_fd, notes, n);
}

/* --- giving back --------------------------------------------------------------- */

/* Should criu have died, and a debugger kept the guard from holding it, the tree runs again and may have filled the queue. */
static int put(int fd, const struct message *message)
{
	const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	int tries = PUT_TRIES;

	while (mq_send(fd, message->text, message->bytes, message->priority)) {
		if (errno != EAGAIN || !tries--)
			return -errno;
		nanosleep(&nap, NULL);
	}
	return 0;
}

void mqueue_give_all_back(const int *fds, size_t n, void *data)
{
	struct mqueue_notes *notes = data;

	for (size_t i = 0; notes->taken && i < n; i++) {
		struct mqueue_taken *taken = &notes->taken[i];

		for (size_t k = 0; k < taken->messages.n; k++) {
			/* Nobody is left to be told. */
			if (put(fds[i], &taken->messages.data[k]))
				pr_warn("POSIX message queue %u: not all messages could be put back",
					notes->of[i].queue_id);
			free(taken->messages.data[k].text);
		}
		VEC_FREE(&taken->messages);
	}
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	free(take_ptr(notes->taken));
}
