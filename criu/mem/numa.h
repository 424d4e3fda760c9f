/* NUMA memory policies of shared objects and of mappings. */
#ifndef CRIU_MEM_NUMA_H
#define CRIU_MEM_NUMA_H

#include "image/pages.h"
#include "mem/vma.h"
#include "remote/batch.h"

/* --- dump ------------------------------------------------------------------ */

/**
 * numa_find_ranges - policies of parts of a shared object
 * @inode: whose holders are known and stopped
 * @ret: in @arena, ascending; NULL if there are none, or the kernel has none or does not let us ask
 */
void numa_find_ranges(const struct inode *inode, struct arena *arena, MempolicyRangeEntry ***ret, size_t *ret_n);

/* The mappings of one process, to be asked for their policies. */
struct numa_task {
	struct remote_process *process; /* has a scratch area: remote_open() */
	const vma_list *vmas;
};

/** numa_dump_vmas - policies of mappings, where they don't belong to a shared object, into vma->entry; in @arena. */
int must_check numa_dump_vmas(const struct numa_task *tasks, size_t n, struct arena *arena);

/* --- restore --------------------------------------------------------------- */

/**
 * numa_drop_impossible - take out of @model what can't be set here, with a warning for each
 * Of mappings and threads; whatever is left over is not expected to fail.
 */
void numa_drop_impossible(struct model *model);

/** numa_set_ranges - policies of the shared object @fd, before its pages are written; warns where it can't. */
void numa_set_ranges(int fd, const char *name, const struct pagemap *map);

/* What a puppet had when it was forked; mm: NULL if nothing. */
struct numa_relative {
	const MmEntry *mm;
	size_t next;
};

/** numa_queue_vma - mbind() of a mapping before it is filled; mappings in ascending order. */
int must_check numa_queue_vma(const VmaEntry *vma, struct numa_relative *relative, struct batch *batch);

#endif
