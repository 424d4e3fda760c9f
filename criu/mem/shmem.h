/*
 * Shared objects: memory that several mappings, descriptors and tasks see at
 * once. Whatever its kind, an object is dumped once (pagemap-shmem-<id>), made
 * once on restore by us, filled, and handed to every holder.
 */
#ifndef CRIU_MEM_SHMEM_H
#define CRIU_MEM_SHMEM_H

#include "image/pages.h"
#include "kernel/features.h"
#include "mem/inode.h"
#include "options.h"
#include "util/refusals.h"

struct shmem_dump_stats {
	uint64_t pages_scanned, pages_written;
};

/* --- dump ------------------------------------------------------------------ */

/**
 * shmem_is_object - is @inode saved as a shared object (and not as a file)?
 * Final only once all mappings of all tasks were collected.
 */
bool shmem_is_object(const struct inode *inode);

/**
 * shmem_plan - decide about every inode that is shared memory
 *
 * Deleted files mapped shared, anonymous shared memory, memfds, System V segments: those
 * that a task outside the tree holds too are refused, attached or copied as
 * --external-holders says (mem/external.h). Refuses secretmem and DAX.
 * @tree: the seized tree; everything else that runs is outside
 */
int must_check shmem_plan(struct inodes *inodes, const struct remote_tree *tree, const struct options *options,
			  struct refusals *refusals);

/** shmem_dump - pages of every shared object, once each, holes kept; memfd and shmem-file entries into @model. */
int must_check shmem_dump(struct inodes *inodes, struct model *model, struct page_pipeline *pipeline,
			  struct shmem_dump_stats *stats);

/* --- restore --------------------------------------------------------------- */

struct shmem_restore; /* objects made so far, with their descriptors */

/**
 * shmem_make - make and fill every shared object of @model
 *
 * Anonymous: a mapping of ours, opened through map_files. Memfd: memfd_create,
 * sealed after it is filled. Deleted file: remap_make_unnamed(). System V segment: sysvshm_make(). Their
 * ids: vma.shmid of VMA_ANON_SHARED mappings, memfd inode_id, remap_id of SHMEM remaps. Nothing is made if a segment
 * can't be.
 */
int must_check shmem_make(const struct model *model, const struct image_dir *dir, const struct options *options,
			  struct guard *guard, struct shmem_restore **ret);

/** shmem_anon_fd - read-write descriptor for mappings of anonymous object @shmid; borrowed; logged -ENOENT. */
int must_check shmem_anon_fd(const struct shmem_restore *shmem, uint64_t shmid);

/** shmem_memfd_fd - the memfd inode @inode_id, to be reopened through /proc/self/fd for each description; borrowed. */
int must_check shmem_memfd_fd(const struct shmem_restore *shmem, uint64_t inode_id);

/** shmem_file_fd - deleted shared file @id under the name @path (O_PATH, to be reopened likewise); borrowed. */
int must_check shmem_file_fd(const struct shmem_restore *shmem, uint32_t id, const char *path);

/** shmem_is_attached - is @id, a file's or memfd's, the object of processes outside the tree? */
bool shmem_is_attached(const struct shmem_restore *shmem, uint64_t id);

/** shmem_sysv - the System V segment @shmid, to be attached by its id; borrowed; NULL, logged, if there is none. */
const struct sysvshm *shmem_sysv(const struct shmem_restore *shmem, uint64_t shmid);

/**
 * shmem_settle - once every holder is attached: seals that would have forbidden attaching, the
 * times of files and memfds, which later opens and writes would have moved, and our own attachments of segments.
 */
int must_check shmem_settle(struct shmem_restore *shmem);

void shmem_restore_free(struct shmem_restore *shmem);

#endif
