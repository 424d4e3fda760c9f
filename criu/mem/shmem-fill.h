/* The content of a shared object, from its page map into the object. */
#ifndef CRIU_MEM_SHMEM_FILL_H
#define CRIU_MEM_SHMEM_FILL_H

#include "image/pages.h"

struct shmem_content {
	struct pagemap pagemap;
	const char *name; /* of the object, for messages */
	uint64_t size;	  /* of the object; the last page may be partial */
};

/** shmem_open_mapping - descriptor of what this process maps shared at @start, for reading and writing; logged -errno. */
int must_check shmem_open_mapping(const void *start, uint64_t bytes);

/** shmem_fill - write all pages to @fd; @arg is a struct shmem_content, so that this is a fill
 * callback. Objects of huge pages: mem/huge.h. */
int must_check shmem_fill(int fd, void *arg);

#endif
