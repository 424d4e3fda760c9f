/*
 * Reading a shared object. What is in the page cache comes from there. What is not (a restore put it on the disk
 * and nobody touched it since, or it was written back and dropped) is read past the cache, which would need
 * memory for it that the tasks can use better.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>

#include "mem/object-read.h"
#include "util/log.h"

#define LARGE_BYTES (512 * 1024UL) /* worth a disk request of its own */

/* Only a help: not every file system can, and those in memory need not. */
static void prepare_direct(struct object_reader *reader)
{
	uint64_t size = reader->inode->st.st_size;
	struct statfs fs;
	char path[64];
	void *map;

	if (size < LARGE_BYTES || reader->inode->huge_bytes || fstatfs(reader->fd, &fs) ||
	    (uint32_t)fs.f_type == FS_MAGIC_TMPFS)
		return;
	map = mmap(NULL, size, PROT_READ, MAP_SHARED, reader->fd, 0);
	if (map == MAP_FAILED)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", reader->fd);
	reader->direct_fd = open(path, O_RDONLY | O_NOATIME | O_DIRECT | O_CLOEXEC);
	if (reader->direct_fd < 0)
		munmap(map, size);
	else
		reader->map = map;
}

int object_reader_open(const struct inode *inode, struct object_reader *ret)
{
	*ret = (struct object_reader){ .inode = inode, .fd = inode_open_to_read(inode), .direct_fd = -1 };
	if (ret->fd < 0)
		return ret->fd;
	if (inode->is_lower)
		return overlay_views_open(inode, &ret->views);
	prepare_direct(ret);
	return 0;
}

void object_reader_close(struct object_reader *reader)
{
	if (reader->map)
		munmap(reader->map, reader->inode->st.st_size);
	overlay_views_close(reader->views);
	close_fdp(&reader->direct_fd);
	close_fdp(&reader->fd);
}

int object_next_data(const struct object_reader *reader, uint64_t from, uint64_t *ret_start, uint64_t *ret_end)
{
	off_t data, hole;

	if (reader->views)
		return overlay_views_next(reader->views, from, ret_start, ret_end);
	data = lseek(reader->fd, (off_t)from, SEEK_DATA);
	if (data < 0 && errno == ENXIO)
		return 0;
	if (data < 0)
		return fail_errno("%s: look for data after %#llx", reader->inode->name, (unsigned long long)from);
	hole = lseek(reader->fd, data, SEEK_HOLE);
	if (hole < 0)
		return fail_errno("%s: look for a hole after %#llx", reader->inode->name, (unsigned long long)data);
	/* Blocks may be smaller than pages. */
	*ret_start = max_u64(from, (uint64_t)data & ~(PAGE_BYTES - 1));
	*ret_end = round_up_pages(hole);
	return 1;
}

/* Behind the end of a file, within its last page, is memory that only a mapping shows. Nobody uses a file so. */
static int read_tail(const struct object_reader *reader, char *buf, uint64_t size)
{
	size_t before = size % PAGE_BYTES;
	char *page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, reader->fd, (off_t)(size - before));

	if (page == MAP_FAILED)
		return fail_errno("%s: map the last page", reader->inode->name);
	memcpy(buf, page + before, PAGE_BYTES - before);
	munmap(page, PAGE_BYTES);
	return 0;
}

/* Is most of it not in the page cache? (To read the cached part past the cache is slow, not wrong: it is written back first.) */
static bool mostly_on_disk(const struct object_reader *reader, size_t bytes, uint64_t offset)
{
	unsigned char cached[LARGE_BYTES / PAGE_BYTES];
	size_t n = 0, sample = min_u64(bytes, LARGE_BYTES);

	if (reader->direct_fd < 0 || bytes < LARGE_BYTES || mincore(reader->map + offset, sample, cached))
		return false;
	for (size_t i = 0; i < sample / PAGE_BYTES; i++)
		n += cached[i] & 1;
	return n < sample / PAGE_BYTES / 2;
}

/* What direct reading cannot do here, plain reading can. */
static ssize_t read_some(const struct object_reader *reader, char *buf, size_t bytes, uint64_t offset)
{
	ssize_t n = -1;

	/* Whole pages; at the end of the file they are not all there. */
	if (mostly_on_disk(reader, bytes, offset))
		n = pread(reader->direct_fd, buf, round_up_pages(bytes), (off_t)offset);
	if (n > 0)
		return (ssize_t)min_u64(n, bytes);
	return pread(reader->fd, buf, min_u64(bytes, LARGE_BYTES), (off_t)offset);
}

int object_read(const struct object_reader *reader, char *buf, size_t bytes, uint64_t offset)
{
	const struct inode *inode = reader->inode;
	size_t done = 0;

	if (reader->views)
		return overlay_views_read(reader->views, buf, bytes, offset);
	while (done < bytes) {
		ssize_t n = read_some(reader, buf + done, bytes - done, offset + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno("%s: read at %#llx", inode->name, (unsigned long long)(offset + done));
		/* The tree stands still and nobody else holds the object. */
		if (n == 0)
			return fail(EBUSY, "%s: became shorter during the dump", inode->name);
		done += n;
	}
	memset(buf + bytes, 0, round_up_pages(bytes) - bytes);
	if (inode->kind == INODE_SYSV && bytes % PAGE_BYTES)
		return read_tail(reader, buf + bytes, offset + bytes);
	return 0;
}
