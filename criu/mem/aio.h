/*
 * Contexts of asynchronous I/O: io_setup(2).
 */
#ifndef CRIU_MEM_AIO_H
#define CRIU_MEM_AIO_H

#include "mem/pages.h"
#include "mem/vma.h"
#include "remote/batch.h"

/* One context, from the plan to the commit. */
struct aio_ring {
	struct remote_process *process;
	uint64_t start, bytes;
	uint32_t tail; /* where the next completion goes, when its process was written to the image */
};

typedef VEC(struct aio_ring) aio_rings;

/** aio_is_ring - is this descriptor of a mapped file (O_PATH will do) the ring of a context? */
bool aio_is_ring(int fd);

/**
 * aio_plan - what is a context of @process among its mappings, into @mm and @rings
 *
 * Refuses rings that are cut, protected, or inherited.
 * @parents_vmas: mappings of its parent, planned before; NULL: is not in the tree
 */
int must_check aio_plan(struct remote_process *process, const vma_list *vmas, const vma_list *parents_vmas,
			struct arena *arena, MmEntry *mm, aio_rings *rings, struct refusals *refusals);

/** aio_ask - make sure that the rings of @process belong to contexts of its own; it is open for calls. */
int must_check aio_ask(const aio_rings *rings, struct remote_process *process);

/** aio_wait - wait until the requests of a stopped tree are done; logged -EBUSY after some seconds. */
int must_check aio_wait(aio_rings *rings);

/** aio_recheck - none may have come to its end since aio_wait(): the image would not know. */
int must_check aio_recheck(const aio_rings *rings);

/**
 * aio_restore - make the contexts of a puppet, whose other mappings are all in place, with what completed
 * requests are in their rings; runs what @batch has queued
 */
int must_check aio_restore(struct remote_process *process, const struct mm_image *image, struct batch *batch);

/* --- the parts that need no process (aio_test.c) --------------------------------- */

/** aio_nr_slots - completions that a ring of @bytes has room for. */
uint32_t aio_nr_slots(uint64_t bytes);

/** aio_nr_requests - the least that io_setup(2) has to be asked for to make a ring of @bytes. */
uint32_t aio_nr_requests(uint64_t bytes);

/**
 * aio_busy_disks - how many of the devices in the text of /proc/diskstats have requests under way
 * @idle: names of those seen idle before, one to a line, to which others are added
 */
size_t aio_busy_disks(const char *diskstats, char *idle, size_t idle_bytes);

#endif
