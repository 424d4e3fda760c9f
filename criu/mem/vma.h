/*
 * Address spaces: the list of mappings of a task, what backs each of them,
 * and the pages that are the task's own.
 */
#ifndef CRIU_MEM_VMA_H
#define CRIU_MEM_VMA_H

#include <sys/mman.h>

#include "image/vma-status.h"
#include "mem/shmem.h"

/* Newer than some C libraries' headers. */
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

/* One mapping while it is being dumped. */
struct vma {
	VmaEntry *entry;     /* in the model's arena */
	struct inode *inode; /* file, memfd or anonymous shared object behind it; or NULL */
	char *name;	     /* /proc text with " (deleted)" stripped; arena */
	bool name_deleted;
	bool may_write;	   /* VM_MAYWRITE: how far mprotect may go; decides the open mode */
	uint32_t vm_flags; /* enum proc_vm_flag */
};

typedef VEC(struct vma) vma_list;

/**
 * vma_collect - mappings of @process, into its MmEntry and @ret
 *
 * Interns the inode of every file and shared mapping (opened through
 * map_files) and notes shared mappings and holders there. Refuses by name what
 * can't be saved: memory of devices and kernel objects, userfaultfd, secretmem,
 * uprobes, shadow stacks. entry->shmid is set for
 * anonymous shared mappings; for files it is the file id, which the caller
 * sets afterwards. Guard regions get entries in @mm, after all mappings, and
 * none in @ret. mm_brk, dumpable and exe_file_id are left to the caller.
 * Scratch areas that a killed criu left behind are noted in @process, not dumped.
 */
int must_check vma_collect(struct remote_process *process, struct inodes *inodes, struct model *model, MmEntry *mm,
			   vma_list *ret, struct refusals *refusals);

/* --- the parts that need no process (vma_test.c) ------------------------------- */

/** vma_advice - madvise(2) calls that give a mapping its @vm_flags: bit n stands for advice n. */
uint64_t vma_advice(uint64_t vm_flags);

/** vma_obstacle - why @map can't be saved, as the end of a sentence; NULL if nothing is known against it. */
const char *vma_obstacle(const struct proc_map *map);

#endif
