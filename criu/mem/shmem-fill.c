/*
 * Pages go in by pread into one small buffer and pwrite to the object: of reading into a mapping (a fault per
 * page), writing from a mapping of the image, and populating first, it is never the slower one on tmpfs
 * (64 MiB and 1 GiB: 0.6 s per GiB, where reading into the mapping takes 1.2). A second thread gains nothing,
 * because the inode is locked for writing. Holes are never touched.
 *
 * On a disk the first of them stay in the page cache. What is more goes past it: there it would have to wait for the
 * disk all the same (the kernel limits what may be dirty), and take memory twice that the tasks can use. They read it back
 * where they touch it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include "kernel/hugepages.h"
#include "mem/fs-place.h"
#include "mem/huge.h"
#include "mem/inode.h"
#include "mem/numa.h"
#include "mem/shmem-fill.h"
#include "util/log.h"

#define FILL_BYTES   (1024 * 1024UL)
#define DIRECT_BYTES (2 * HUGE_BUFFER_UNIT)
#define CACHED_BYTES (128 * 1024 * 1024UL) /* of each object */
#define LARGE_BYTES  (512 * 1024UL)	   /* worth a disk request of its own */

struct fill {
	const struct shmem_content *content;
	int fd;
	int direct_fd; /* the same object; -1: all goes through the page cache */
	char *buf;
	size_t buf_bytes;
	uint64_t filled; /* bytes */
};

int shmem_open_mapping(const void *start, uint64_t bytes)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)start,
		 (unsigned long)start + (unsigned long)bytes);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? fail_errno("open a mapping of our own through map_files (needs CAP_CHECKPOINT_RESTORE)") : fd;
}

/* Only a help: not every file system can, and those in memory need not. */
static int open_direct(int fd)
{
	struct statfs fs;
	char path[64];

	if (fstatfs(fd, &fs) || (uint32_t)fs.f_type == FS_MAGIC_TMPFS)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
}

static void fill_start(struct fill *fill, int fd, const struct shmem_content *content)
{
	*fill = (struct fill){ .content = content, .fd = fd, .direct_fd = -1, .buf_bytes = FILL_BYTES };
	if (content->pagemap.nr_pages * PAGE_BYTES > CACHED_BYTES)
		fill->direct_fd = open_direct(fd);
	if (fill->direct_fd >= 0)
		fill->buf_bytes = DIRECT_BYTES;
	fill->buf = fill->direct_fd >= 0 ? map_huge_buffer(DIRECT_BYTES) : xalloc(FILL_BYTES);
}

static void fill_end(const struct fill *fill)
{
	if (fill->buf_bytes == DIRECT_BYTES)
		munmap(fill->buf, DIRECT_BYTES);
	else
		free(fill->buf);
	close_fdp(&fill->direct_fd);
}

static bool goes_direct(const struct fill *fill, size_t bytes)
{
	return fill->direct_fd >= 0 && fill->filled >= CACHED_BYTES && bytes >= LARGE_BYTES && bytes % PAGE_BYTES == 0;
}

/* Returns what is written, which may be a part, or -errno. */
static ssize_t write_some(struct fill *fill, const char *buf, size_t bytes, uint64_t offset)
{
	bool direct = goes_direct(fill, bytes);
	ssize_t n = pwrite(direct ? fill->direct_fd : fill->fd, buf, bytes, (off_t)offset);

	if (n >= 0)
		return n;
	/* A stricter alignment than a page, or none that helps. */
	if (direct && errno == EINVAL) {
		close(take_fd(&fill->direct_fd));
		return 0;
	}
	return errno == EINTR ? 0
			      : fail_errno("%s: write %zu bytes at %#llx of %llu%s", fill->content->name, bytes,
					   (unsigned long long)offset, (unsigned long long)fill->content->size,
					   fs_room_hint(errno));
}

static int write_all(struct fill *fill, size_t bytes, uint64_t offset)
{
	const char *from = fill->buf;

	while (bytes) {
		ssize_t n = write_some(fill, from, bytes, offset);

		if (n < 0)
			return (int)n;
		from += n;
		offset += n;
		bytes -= n;
		fill->filled += n;
	}
	return 0;
}

static int fill_range(struct fill *fill, const struct page_range *range)
{
	uint64_t left, offset = range->vaddr, from = range->file_offset;
	int err = page_range_bytes(range, fill->content->size, fill->content->name, &left);

	if (err)
		return err;
	/* At once, so that direct writes need not allocate. Only a help, too. */
	if (fill->direct_fd >= 0 && left >= LARGE_BYTES)
		(void)!fallocate(fill->fd, 0, (off_t)offset, (off_t)left);
	while (left) {
		size_t part = min_u64(left, fill->buf_bytes);

		err = pages_read_bytes(fill->content->pagemap.pages_fd, fill->buf, part, from);

		if (!err)
			err = write_all(fill, part, offset);
		if (err)
			return err;
		offset += part;
		from += part;
		left -= part;
	}
	return 0;
}

int shmem_fill(int fd, void *arg)
{
	const struct shmem_content *content = arg;
	uint64_t huge_bytes = huge_fd_bytes(fd);
	struct fill fill;
	int err = 0;

	numa_set_ranges(fd, content->name, &content->pagemap);
	/* The pages file was written past the page cache: a larger window lets the disk work while we copy. */
	if (content->pagemap.n_ranges)
		posix_fadvise(content->pagemap.pages_fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (huge_bytes)
		return huge_fill(fd, huge_bytes, content);
	fill_start(&fill, fd, content);
	for (size_t i = 0; i < content->pagemap.n_ranges && !err; i++)
		err = fill_range(&fill, &content->pagemap.ranges[i]);
	fill_end(&fill);
	return err;
}
