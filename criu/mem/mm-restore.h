/*
 * Giving a puppet its address space: what it was forked with is kept where the
 * image agrees, all else goes, the rest is mapped, and the private pages are filled in.
 */
#ifndef CRIU_MEM_MM_RESTORE_H
#define CRIU_MEM_MM_RESTORE_H

#include "mem/layout.h"
#include "mem/pages.h"
#include "remote/courier.h"

struct mm_restore_args {
	struct remote_process *process; /* descriptor table empty but for the courier */
	const struct courier *courier;
	const struct mm_image *image;
	const struct mm_image *inherited; /* NULL: forked from criu itself */
	const struct shmem_restore *shmem;
	struct vdso_layout *vdso;		       /* where the puppet has it; updated */
	struct remote_addr side;		       /* free room as large as the vdso group */
	int exe_fd;				       /* ours; -1: inherited from the relative and the same */
	int (*map_fd)(void *arg, const VmaEntry *vma); /* our descriptor to map a file with */
	void *map_fd_arg;
	struct pages_stats *stats;
};

/** mm_restore - mappings, their private pages, and the fields of the mm. */
int must_check mm_restore(const struct mm_restore_args *args);

/**
 * mm_settle - what a fork would not have passed on: locked memory, advice
 * about forks; and seals. After the last child was made.
 */
int must_check mm_settle(struct remote_process *process, const MmEntry *mm);

#endif
