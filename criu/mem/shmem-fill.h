/* The content of a shared object, from its page map into the object. */
#ifndef CRIU_MEM_SHMEM_FILL_H
#define CRIU_MEM_SHMEM_FILL_H

#include "image/pages.h"

struct shmem_content {
	struct pagemap pagemap;
	uint64_t size; /* of the object; the last page may be partial */
};

/** shmem_fill - write all pages to @fd; @arg is a struct shmem_content, so that this is a fill callback. */
int must_check shmem_fill(int fd, void *arg);

#endif
