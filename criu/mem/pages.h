/*
 * The pages of one task: which of its private pages differ from what their
 * mapping would show anyway, and how they get into an image and back.
 */
#ifndef CRIU_MEM_PAGES_H
#define CRIU_MEM_PAGES_H

#include "kernel/features.h"
#include "mem/vma.h"
#include "remote/batch.h"

struct pages_stats {
	uint64_t scanned, written, compared, skipped_cow, restored;
};

/* --- dump ------------------------------------------------------------------ */

/**
 * pages_dump - private pages of @process to pagemap-<image_pid>
 *
 * PAGEMAP_SCAN where the kernel has it, /proc/PID/pagemap otherwise. Zero and never-touched pages and clean
 * file pages cost nothing. Pages are read with process_vm_readv in large requests; mappings
 * that forbid reading through /proc/PID/mem.
 */
int must_check pages_dump(struct remote_process *process, const vma_list *vmas, uint32_t image_pid,
			  const struct kernel_features *features, struct page_pipeline *pipeline,
			  struct pages_stats *stats);

/* --- restore --------------------------------------------------------------- */

/* The address space a puppet has or is to get. */
struct mm_image {
	const struct task_image *task;
	struct pagemap pagemap; /* of the task */
};

/**
 * pages_restore - bring the private pages of a puppet in line with its image
 * @process:  puppet whose mappings (protections included) are in place
 * @image:    what it is to hold
 * @inherited: the image of the relative it was forked from, whose pages it has now;
 *            NULL: its private mappings are fresh. With it, of each mapping only the
 *            range in @kept holds inherited pages.
 *
 * Writable mappings: the puppet itself reads the pages file, by batched preadv;
 * others through /proc/PID/mem. Inherited pages are compared image against
 * image and left alone (still shared, copy-on-write) when equal; pages the relative has and
 * this task has not are dropped with MADV_DONTNEED (anonymous) .
 */
struct kept_range {
	uint64_t start, end; /* 0, 0: nothing was kept of this mapping */
};

struct pages_restore_args {
	struct remote_process *process;
	const struct mm_image *image;
	const struct mm_image *inherited;
	const struct kept_range *kept; /* one per VmaEntry of image->task->mm; NULL without @inherited */
	/* Queue what gives the puppet the pages file (one call), once it is needed: its number there, or -errno. */
	int (*lend_pages)(void *arg, struct batch *batch);
	void *lend_arg;
	struct pages_stats *stats;
};
int must_check pages_restore(const struct pages_restore_args *args);

#endif
