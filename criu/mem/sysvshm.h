/*
 * System V shared memory segments, shmget(2), of the IPC namespace that we are in, too.
 *
 * The pages go the way of all shared objects (shmem.h). What is of their own:
 * a segment has an id and perhaps a key by which others find it, it outlives
 * those who attach it, unless it is marked for removal, and it is attached
 * with shmat(2), so that the kernel counts its attachments.
 */
#ifndef CRIU_MEM_SYSVSHM_H
#define CRIU_MEM_SYSVSHM_H

#include <sys/shm.h>

#include "mem/inode.h"
#include "mem/shmem-fill.h"
#include "options.h"
#include "util/refusals.h"

/* Bits of shm_perm.mode beside the permissions, ipc(5); older C libraries hide them. */
#ifndef SHM_DEST
#define SHM_DEST   01000
#define SHM_LOCKED 02000
#endif

/* --- dump ------------------------------------------------------------------ */

/**
 * sysvshm_plan - refuse a segment that we can't describe, or that is attached more often than the tree accounts for
 * @inode: of kind INODE_SYSV, mapped; holders outside that were found have been judged (external.h), for others
 *         @inode->attached is set here
 */
void sysvshm_plan(struct inode *inode, const struct options *options, struct refusals *refusals);

/** sysvshm_dump - its entry, into @model; logged -errno. */
int must_check sysvshm_dump(const struct inode *inode, struct model *model);

/* --- restore --------------------------------------------------------------- */

struct sysvshm {
	const SysvShmEntry *entry;
	int id;		/* may be another than before if the segment is marked for removal */
	uint64_t bytes; /* what one attachment takes: the size in whole pages */
	bool copy;	/* others outside the tree keep the segment: another one, for the tree alone */
	void *own;	/* where we have attached it ourselves; NULL: nowhere */
};

/** sysvshm_page_bytes - the size of its pages; 0 if its huge pages have no possible size. */
uint64_t sysvshm_page_bytes(const SysvShmEntry *entry);

/** sysvshm_bytes - what one attachment takes: the size in whole pages. */
uint64_t sysvshm_bytes(const SysvShmEntry *entry);

/** sysvshm_is_there - does the very segment still exist? */
bool sysvshm_is_there(const SysvShmEntry *entry);

/**
 * sysvshm_check - can every segment of @model be had? Nothing is changed.
 *
 * One that was not marked for removal and still exists is used again if it is the very same and nobody has it
 * attached. One that does not exist is made, for which its id, and its key if it has one, must be free. A segment
 * that was marked for removal may get another id: by then only those who attach it know it.
 * Return: 0; -EBUSY or -EEXIST, logged with the segment that is in the way.
 */
int must_check sysvshm_check(const struct model *model, const struct options *options);

/**
 * sysvshm_make - make the segment of ret->entry or find it again, fill it, and attach it to ourselves
 * @content: its pages; the size is set here
 * @guard:   removes a segment that outlives us if the restore comes to nothing
 *
 * Owner, mode, creator, locking and mark for removal are as before; creator's pid and times are not.
 * Return: 0 and the other fields of *ret; logged -errno.
 */
int must_check sysvshm_make(struct sysvshm *ret, const struct model *model, struct shmem_content *content,
			    struct guard *guard);

/**
 * sysvshm_attach - the live segment instead, which others outside the tree keep
 * @fd: leads to it; borrowed. Nothing is written into the segment.
 */
int must_check sysvshm_attach(struct sysvshm *ret, int fd);

/** sysvshm_detach - our own attachment ends; a segment marked for removal that nobody else has attached is gone. */
void sysvshm_detach(struct sysvshm *segment);

#endif
