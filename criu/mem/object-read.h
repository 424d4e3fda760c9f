/* The content of a shared object, read through a descriptor of it. */
#ifndef CRIU_MEM_OBJECT_READ_H
#define CRIU_MEM_OBJECT_READ_H

#include "mem/overlay.h"

struct object_reader {
	const struct inode *inode;
	int fd;			     /* of a lower file, the upper one's, which has its metadata */
	struct overlay_views *views; /* where the content of a lower file is; else NULL */
	/* Where the page cache may lack pages: the object once more, for reading past it, and a mapping to ask about them. */
	int direct_fd; /* -1: all is in memory, or can only be read through the cache */
	unsigned char *map;
};

/** object_reader_open - reading moves no access time. Logged -errno; else object_reader_close() it. */
int must_check object_reader_open(const struct inode *inode, struct object_reader *ret);
void object_reader_close(struct object_reader *reader);

/**
 * object_next_data - the first range at or behind @from that may be anything but zeros
 * Return: 1, and the range, page-aligned at both ends; 0: nothing but a hole up to the end; logged -errno
 */
int must_check object_next_data(const struct object_reader *reader, uint64_t from, uint64_t *ret_start,
				uint64_t *ret_end);

/**
 * object_read - exactly @bytes from @offset on, and zeros up to the end of the last page.
 * @buf: page-aligned, whole pages; better on huge pages (map_huge_buffer())
 * @offset: of a page
 */
int must_check object_read(const struct object_reader *reader, char *buf, size_t bytes, uint64_t offset);

#endif
