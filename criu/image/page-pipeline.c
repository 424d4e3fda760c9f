/*
 * Buffers go round between the caller, who fills them, and threads, who write
 * them. A buffer is cut into slices, each the content of one pages file, so
 * that small files share a buffer and nobody waits for any of them.
 *
 * The first pages go through the page cache, where a restore soon after finds
 * them: small files reach the disk together in image_sync(), large writes are
 * sent on their way at once. All further large writes bypass the cache: its copy
 * costs as much as reading the pages did, and throws out what the job will want
 * back. Several threads, because one direct write at a time leaves the disk idle
 * between two of them; the file is allocated ahead so that they do not take
 * turns extending it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "image/image-file.h"
#include "image/image-table.h"
#include "image/page-pipeline.h"
#include "util/log.h"
#include "util/threads.h"

#define N_BUFFERS	12
#define MEMORY_BYTES	(N_BUFFERS * PAGE_BUFFER_BYTES)
#define N_THREADS	6
#define N_SLICES	(N_BUFFERS * PAGE_BUFFER_BYTES / PAGE_BYTES) /* a slice is a page at least */
#define CACHED_BYTES	(128 * 1024 * 1024UL)			     /* of a dump */
#define LARGE_BYTES	(512 * 1024UL)				     /* worth a disk request of its own */
#define AHEAD_MIN_BYTES (4 * 1024 * 1024UL)
#define AHEAD_MAX_BYTES (128 * 1024 * 1024UL)

struct pages_file {
	uint32_t pages_id;
	int fd;
	uint64_t bytes;	      /* queued or written */
	uint64_t allocated;   /* end of what was allocated ahead */
	unsigned int pending; /* slices not written yet */
	bool closed;
	atomic_bool buffered; /* direct writes were refused */
};

struct buffer {
	uint8_t *data;
	unsigned int pending; /* slices not written yet */
};

struct slice {
	struct pages_file *file;
	struct buffer *buffer;
	size_t start, bytes; /* in the buffer */
	uint64_t offset;     /* in the file */
	bool direct;	     /* rather past the page cache */
};

struct page_pipeline {
	struct image_dir *dir;
	uint32_t last_pages_id;
	uint8_t *memory; /* of all buffers */

	/* The caller's: the buffer being filled and the slice of it not queued yet. */
	uint64_t queued_bytes;
	struct buffer *filling;
	size_t used, slice_start;
	struct pages_file *open;

	pthread_t threads[N_THREADS];
	size_t n_threads;
	pthread_mutex_t lock; /* guards everything below, and files' and buffers' counts */
	pthread_cond_t queued, written;
	struct buffer buffers[N_BUFFERS];
	struct slice queue[N_SLICES];
	size_t queue_head, queue_n;
	VEC(int) done; /* descriptors of finished files */
	bool stop;
	bool reported;
	int err; /* first failure, positive errno */
	uint32_t err_pages_id;
};

/* --- threads ---------------------------------------------------------------- */

static void allocate_ahead(struct page_pipeline *pipeline, struct pages_file *file, uint64_t end)
{
	uint64_t from, to;

	pthread_mutex_lock(&pipeline->lock);
	from = file->allocated;
	to = end > from ? end + min_u64(max_u64(end, AHEAD_MIN_BYTES), AHEAD_MAX_BYTES) : from;
	file->allocated = to;
	pthread_mutex_unlock(&pipeline->lock);
	/* Only a help: a file system without it, or too full for it, still takes the pages themselves. */
	if (to > from)
		(void)!fallocate(file->fd, 0, (off_t)from, (off_t)(to - from));
}

/* The flag belongs to the file, which other threads write to at the same time: it is not set again once refused. */
static void try_direct(struct page_pipeline *pipeline, struct pages_file *file)
{
	pthread_mutex_lock(&pipeline->lock);
	if (!file->buffered && fcntl(file->fd, F_SETFL, O_DIRECT))
		file->buffered = true;
	pthread_mutex_unlock(&pipeline->lock);
}

static int give_up_direct(struct page_pipeline *pipeline, struct pages_file *file)
{
	int ret;

	pthread_mutex_lock(&pipeline->lock);
	file->buffered = true;
	ret = fcntl(file->fd, F_SETFL, 0) ? errno : 0;
	pthread_mutex_unlock(&pipeline->lock);
	return ret;
}

static int write_slice(struct page_pipeline *pipeline, const struct slice *slice)
{
	struct pages_file *file = slice->file;
	bool tried_again = false;
	size_t done = 0;

	if (slice->direct && !file->buffered) {
		allocate_ahead(pipeline, file, slice->offset + slice->bytes);
		try_direct(pipeline, file);
	}
	while (done < slice->bytes) {
		ssize_t n = pwrite(file->fd, slice->buffer->data + slice->start + done, slice->bytes - done,
				   (off_t)(slice->offset + done));

		if (n > 0) {
			done += n;
		} else if (n < 0 && errno == EINVAL && !tried_again) {
			/* No direct writes at all (overlayfs on tmpfs), or a stricter alignment than a page. */
			int err = give_up_direct(pipeline, file);

			if (err)
				return err;
			tried_again = true;
		} else if (n == 0 || errno != EINTR) {
			return n == 0 ? EIO : errno;
		}
	}
	/* Only a help, too; errors show in image_sync(). */
	if (!slice->direct && slice->bytes >= LARGE_BYTES)
		(void)!sync_file_range(file->fd, (off_t)slice->offset, (off_t)slice->bytes, SYNC_FILE_RANGE_WRITE);
	return 0;
}

/* The last slice of @file is written: cut off what was allocated ahead. */
static int finish_file(const struct pages_file *file)
{
	if (file->allocated > file->bytes && ftruncate(file->fd, (off_t)file->bytes))
		return errno;
	return 0;
}

/* Called with the lock held. */
static void note_error(struct page_pipeline *pipeline, const struct pages_file *file, int err)
{
	if (err && !pipeline->err) {
		pipeline->err = err;
		pipeline->err_pages_id = file->pages_id;
	}
}

/* Called with the lock held, once nothing of @file is left to write. */
static void retire_file(struct page_pipeline *pipeline, struct pages_file *file)
{
	note_error(pipeline, file, finish_file(file));
	VEC_PUSH(&pipeline->done, file->fd);
	free(file);
}

static void *write_slices(void *arg)
{
	struct page_pipeline *pipeline = arg;

	pthread_mutex_lock(&pipeline->lock);
	for (;;) {
		struct slice slice;
		int err;

		while (!pipeline->queue_n && !pipeline->stop)
			pthread_cond_wait(&pipeline->queued, &pipeline->lock);
		if (!pipeline->queue_n)
			break;
		slice = pipeline->queue[pipeline->queue_head];
		pipeline->queue_head = (pipeline->queue_head + 1) % N_SLICES;
		pipeline->queue_n--;

		pthread_mutex_unlock(&pipeline->lock);
		err = write_slice(pipeline, &slice);
		pthread_mutex_lock(&pipeline->lock);

		note_error(pipeline, slice.file, err);
		if (--slice.file->pending == 0 && slice.file->closed)
			retire_file(pipeline, slice.file);
		if (--slice.buffer->pending == 0)
			pthread_cond_signal(&pipeline->written);
	}
	pthread_mutex_unlock(&pipeline->lock);
	return NULL;
}

/* --- caller ----------------------------------------------------------------- */

static void pipeline_free(struct page_pipeline *pipeline)
{
	munmap(pipeline->memory, MEMORY_BYTES);
	pthread_cond_destroy(&pipeline->queued);
	pthread_cond_destroy(&pipeline->written);
	pthread_mutex_destroy(&pipeline->lock);
	VEC_FREE(&pipeline->done);
	free(pipeline);
}

static void stop_threads(struct page_pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->stop = true;
	pthread_cond_broadcast(&pipeline->queued);
	pthread_mutex_unlock(&pipeline->lock);
	threads_join(pipeline->threads, pipeline->n_threads);
}

static int start_threads(struct page_pipeline *pipeline)
{
	int err;

	pipeline->n_threads = threads_start(pipeline->threads, N_THREADS, write_slices, pipeline, &err);
	return err && !pipeline->n_threads ? fail(err, "cannot start a thread to write pages") : 0;
}

int page_pipeline_start(struct image_dir *dir, struct page_pipeline **ret)
{
	struct page_pipeline *pipeline = xalloc(sizeof(*pipeline));
	int err;

	pipeline->dir = dir;
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_cond_init(&pipeline->queued, NULL);
	pthread_cond_init(&pipeline->written, NULL);
	pipeline->memory = map_huge_buffer(MEMORY_BYTES);
	for (size_t i = 0; i < N_BUFFERS; i++)
		pipeline->buffers[i].data = pipeline->memory + i * PAGE_BUFFER_BYTES;
	err = start_threads(pipeline);
	if (err) {
		pipeline_free(pipeline);
		return err;
	}
	*ret = pipeline;
	return 0;
}

/* Finished files become the directory's, in the caller's thread. */
static void hand_over_files(struct page_pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->lock);
	for (size_t i = 0; i < pipeline->done.n; i++)
		image_add_unsynced(pipeline->dir, pipeline->done.data[i]);
	pipeline->done.n = 0;
	pthread_mutex_unlock(&pipeline->lock);
}

/* The threads' first error, said once. */
static int pipeline_error(struct page_pipeline *pipeline)
{
	uint32_t pages_id;
	bool reported;
	int err;

	pthread_mutex_lock(&pipeline->lock);
	err = pipeline->err;
	pages_id = pipeline->err_pages_id;
	reported = pipeline->reported;
	pipeline->reported = err != 0;
	pthread_mutex_unlock(&pipeline->lock);
	if (err && !reported)
		return fail(err, "%s/pages-%u.img: cannot write pages", pipeline->dir->path, pages_id);
	return -err;
}

int page_pipeline_finish(struct page_pipeline *pipeline)
{
	int err;

	if (pipeline->open)
		pipeline_file_close(pipeline, pipeline->open);
	stop_threads(pipeline);
	hand_over_files(pipeline);
	err = pipeline_error(pipeline);
	pipeline_free(pipeline);
	return err;
}

struct image_dir *pipeline_dir(struct page_pipeline *pipeline)
{
	return pipeline->dir;
}

int pipeline_file_open(struct page_pipeline *pipeline, struct pages_file **ret, uint32_t *ret_pages_id)
{
	char name[IMAGE_NAME_BYTES];
	struct pages_file *file;
	int fd;

	if (pipeline->open)
		return fail(EBUSY, "pages-%u.img is still being filled", pipeline->open->pages_id);
	hand_over_files(pipeline);
	image_file_name(IMAGE_PAGES, pipeline->last_pages_id + 1, name);
	fd = image_create_fd(pipeline->dir, name);
	if (fd < 0)
		return fd;
	file = xalloc(sizeof(*file));
	file->fd = fd;
	file->pages_id = ++pipeline->last_pages_id;
	pipeline->open = file;
	*ret = file;
	*ret_pages_id = file->pages_id;
	return 0;
}

static void queue_slice(struct page_pipeline *pipeline, struct pages_file *file)
{
	size_t bytes = pipeline->used - pipeline->slice_start;

	if (!bytes)
		return;
	pipeline->queued_bytes += bytes;
	pthread_mutex_lock(&pipeline->lock);
	pipeline->queue[(pipeline->queue_head + pipeline->queue_n++) % N_SLICES] = (struct slice){
		.file = file,
		.buffer = pipeline->filling,
		.start = pipeline->slice_start,
		.bytes = bytes,
		.offset = file->bytes,
		.direct = bytes >= LARGE_BYTES && pipeline->queued_bytes > CACHED_BYTES,
	};
	file->bytes += bytes;
	file->pending++;
	pipeline->filling->pending++;
	pthread_cond_signal(&pipeline->queued);
	pthread_mutex_unlock(&pipeline->lock);
	pipeline->slice_start = pipeline->used;
}

static struct buffer *idle_buffer(struct page_pipeline *pipeline)
{
	for (size_t i = 0; i < N_BUFFERS; i++)
		if (!pipeline->buffers[i].pending && &pipeline->buffers[i] != pipeline->filling)
			return &pipeline->buffers[i];
	return NULL;
}

static void next_buffer(struct page_pipeline *pipeline)
{
	struct buffer *buffer;

	pthread_mutex_lock(&pipeline->lock);
	while (!(buffer = idle_buffer(pipeline)))
		pthread_cond_wait(&pipeline->written, &pipeline->lock);
	pthread_mutex_unlock(&pipeline->lock);
	pipeline->filling = buffer;
	pipeline->used = 0;
	pipeline->slice_start = 0;
}

int pipeline_room(struct page_pipeline *pipeline, struct pages_file *file, void **ret_buf, size_t *ret_bytes)
{
	int err;

	if (!pipeline->filling || pipeline->used == PAGE_BUFFER_BYTES) {
		err = pipeline_error(pipeline);
		if (err)
			return err;
		queue_slice(pipeline, file);
		next_buffer(pipeline);
	}
	*ret_buf = pipeline->filling->data + pipeline->used;
	*ret_bytes = PAGE_BUFFER_BYTES - pipeline->used;
	return 0;
}

void pipeline_add(struct page_pipeline *pipeline, struct pages_file *file, size_t bytes)
{
	pipeline->used += bytes;
	/* At once, not at the next call: the threads can start while the caller looks for more. */
	if (pipeline->used == PAGE_BUFFER_BYTES)
		queue_slice(pipeline, file);
}

void pipeline_file_close(struct page_pipeline *pipeline, struct pages_file *file)
{
	queue_slice(pipeline, file);
	pipeline->open = NULL;
	pthread_mutex_lock(&pipeline->lock);
	file->closed = true;
	if (!file->pending)
		retire_file(pipeline, file);
	pthread_mutex_unlock(&pipeline->lock);
}
