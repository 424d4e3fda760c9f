/*
 * Making images durable while the tree stands still.
 *
 * syncfs(2) is the cheapest for many files, by far, but writes what everybody else has written to that file system as
 * well, not least the shared objects that were just saved. So it is for when there is little of that. Else each file gets its
 * own fsync(2), a few at a time: they share commits of the journal and flushes of the disk.
 */
#include <fcntl.h>
#include <stdatomic.h>

#include "image/image-file.h"
#include "kernel/meminfo.h"
#include "util/log.h"
#include "util/threads.h"

/* So many descriptors are kept; it is also how many files deserve a syncfs(). */
#define UNSYNCED_MAX 256

/* What others may have to write for a syncfs(): as long as fsync() of some hundred files takes. */
#define LITTLE_BYTES (64 << 20)

#define SYNC_THREADS 8

struct sync {
	const int *fds;
	size_t n;
	atomic_size_t next;
	atomic_int err;
};

static void *sync_some(void *arg)
{
	struct sync *sync = arg;

	for (size_t i; (i = atomic_fetch_add(&sync->next, 1)) < sync->n;)
		if (fsync(sync->fds[i]))
			atomic_store(&sync->err, errno);
	return NULL;
}

void image_unsynced_close(struct image_dir *dir)
{
	for (size_t i = 0; i < dir->unsynced.n; i++)
		close(dir->unsynced.data[i]);
	dir->unsynced.n = 0;
}

/* One journal commit serves them all if every file has its blocks before the first fsync(). */
static int sync_each(struct image_dir *dir)
{
	struct sync sync = { .fds = dir->unsynced.data, .n = dir->unsynced.n };
	pthread_t threads[SYNC_THREADS - 1];
	size_t n_threads;

	for (size_t i = 0; i < sync.n; i++)
		if (sync_file_range(sync.fds[i], 0, 0, SYNC_FILE_RANGE_WRITE))
			break; /* not every file system has it; fsync() alone is enough */
	n_threads = threads_start(threads, min_u64(ARRAY_SIZE(threads), sync.n / 2), sync_some, &sync, NULL);
	sync_some(&sync);
	threads_join(threads, n_threads);
	image_unsynced_close(dir);
	return atomic_load(&sync.err) ? fail(atomic_load(&sync.err), "%s: cannot bring an image to disk", dir->path)
				      : 0;
}

void image_add_unsynced(struct image_dir *dir, int fd)
{
	if (dir->unsynced.n == UNSYNCED_MAX && !dir->many) {
		dir->many = meminfo_bytes("Dirty") + meminfo_bytes("Writeback") < LITTLE_BYTES;
		if (!dir->many && sync_each(dir))
			dir->failed = true;
	}
	if (dir->many)
		close(fd);
	else
		VEC_PUSH(&dir->unsynced, fd);
}

int image_sync(struct image_dir *dir)
{
	int err;

	if (dir->failed)
		return -EIO;
	if (dir->many) {
		if (syncfs(dir->fd))
			return fail_errno("%s: cannot bring the images to disk", dir->path);
		image_unsynced_close(dir);
		dir->many = false;
		return 0;
	}
	err = sync_each(dir);
	if (!err && fsync(dir->fd))
		err = fail_errno("%s: cannot bring the directory to disk", dir->path);
	return err;
}
