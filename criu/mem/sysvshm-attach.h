/*
 * Which mappings of an address space come from one shmat(2), and making them again.
 *
 * An attachment is one mapping of a whole segment at first. mprotect(2) divides it, munmap(2) takes parts away,
 * mremap(2) moves them. shmdt(2) removes what is still in its place, so mappings that
 * belong together have to come from one call again.
 */
#ifndef CRIU_MEM_SYSVSHM_ATTACH_H
#define CRIU_MEM_SYSVSHM_ATTACH_H

#include "mem/pages.h"
#include "mem/shmem.h"
#include "remote/batch.h"

struct attachment {
	uint64_t base; /* where offset 0 is or would be; may lie outside what a process has */
	uint64_t shmid;
	bool write;	  /* attached for writing, even if mprotect(2) forbids it now */
	VEC(size_t) vmas; /* indices in the MmEntry, ascending */
};

typedef VEC(struct attachment) attachment_list;

void attachments_find(const MmEntry *mm, attachment_list *ret);
void attachments_free(attachment_list *attachments);

/** attachment_is_whole - do its mappings, which @mm lists, show all @bytes of the segment side by side? */
bool attachment_is_whole(const struct attachment *attachment, const MmEntry *mm, uint64_t bytes);

/** attachments_keep - an attachment that is inherited in part only is not kept at all: clears @kept of its mappings. */
void attachments_keep(const MmEntry *mm, struct kept_range *kept);

/**
 * attachment_make - attach the segment in a puppet, whose other mappings are all in place, and bring the mappings
 * into their places and to their protection
 */
int must_check attachment_make(const struct attachment *attachment, const struct shmem_restore *shmem,
			       const MmEntry *mm, struct batch *batch);

#endif
