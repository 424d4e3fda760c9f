#include <sched.h>
#include <stdatomic.h>

#include "files/files-internal.h"
#include "files/files-read.h"
#include "util/threads.h"

/* With fewer a thread costs more than it saves. */
#define THREAD_FROM 256

struct slot {
	_Atomic enum { SLOT_UNREAD, SLOT_CLAIMED, SLOT_READ } state;
	int err;
	struct file_desc desc;
};

struct desc_reader {
	struct remote_process *process;
	const fd_list *fds;
	struct slot *slots; /* NULL without a thread */
	pthread_t thread;
	_Atomic bool stop;
};

static bool claim(struct slot *slot)
{
	int unread = SLOT_UNREAD;

	return atomic_compare_exchange_strong(&slot->state, &unread, SLOT_CLAIMED);
}

static void *read_ahead(void *arg)
{
	struct desc_reader *reader = arg;
	LOG_SCOPE("task", reader->process->pid);

	for (size_t i = 0; i < reader->fds->n && !reader->stop; i++) {
		struct slot *slot = &reader->slots[i];
		LOG_SCOPE("fd", reader->fds->data[i]);

		if (!claim(slot))
			continue;
		slot->err = file_desc_read(reader->process, reader->fds->data[i], &slot->desc);
		/* A child has most of its descriptors from its parent, whose links are known. */
		if (!slot->err && !reader->process->parent)
			slot->err = file_desc_read_link(&slot->desc);
		slot->state = SLOT_READ;
	}
	return NULL;
}

/* Without a thread, for want of memory for one, the caller reads everything itself. */
static void start_thread(struct desc_reader *reader)
{
	struct slot *slots = xalloc(reader->fds->n * sizeof(*slots));

	for (size_t i = 0; i < reader->fds->n; i++)
		slots[i].desc.fd = -1;
	reader->slots = slots;
	if (!threads_start(&reader->thread, 1, read_ahead, reader, NULL))
		free(take_ptr(reader->slots));
}

struct desc_reader *desc_reader_start(struct remote_process *process, const fd_list *fds)
{
	struct desc_reader *reader = xalloc(sizeof(*reader));

	reader->process = process;
	reader->fds = fds;
	if (fds->n >= THREAD_FROM)
		start_thread(reader);
	return reader;
}

int desc_reader_take(struct desc_reader *reader, size_t i, struct file_desc *ret)
{
	struct slot *slot = reader->slots ? &reader->slots[i] : NULL;

	if (!slot || claim(slot))
		return file_desc_read(reader->process, reader->fds->data[i], ret);
	while (slot->state != SLOT_READ)
		sched_yield();
	/* What is left is not ours to close a second time. */
	*ret = slot->desc;
	slot->desc = (struct file_desc){ .fd = -1 };
	return slot->err;
}

void desc_reader_end(struct desc_reader *reader)
{
	if (reader->slots) {
		reader->stop = true;
		pthread_join(reader->thread, NULL);
		for (size_t i = 0; i < reader->fds->n; i++)
			file_desc_free(&reader->slots[i].desc);
		free(reader->slots);
	}
	free(reader);
}
