/* Seals of memfds, fcntl(2). */
#ifndef CRIU_MEM_MEMFD_SEALS_H
#define CRIU_MEM_MEMFD_SEALS_H

#include <stdint.h>

#include "util/macros.h"

/**
 * memfd_add_seals - give the memfd @fd the @seals that it lacks
 * @name: for messages
 *
 * Waits up to some seconds for whoever has a page of it in his hands: the kernel takes F_SEAL_WRITE only when nobody could
 * still write into a page, as a read into memory that is on its way could, and it can't tell that from a reader's reference.
 * Return: 0; logged -EBUSY when a page stays in use, or another -errno.
 */
int must_check memfd_add_seals(int fd, uint32_t seals, const char *name);

#endif
