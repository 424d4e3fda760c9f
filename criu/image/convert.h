/*
 * Images of ours into images that mainline restores, in place: deleted files that are shared memory (remaps of
 * type SHMEM) become ghost files, which mainline attaches to all holders just as well, if not as fast.
 *
 * Ghosts are written beside what is there and are on disk before remap-fpath.img, the only file that says which
 * of both counts, is replaced by rename(2). So a reader finds a whole checkpoint at every moment, the old one or
 * the new one. What nobody needs any more goes last; an interrupted conversion is finished by another one.
 */
#ifndef CRIU_IMAGE_CONVERT_H
#define CRIU_IMAGE_CONVERT_H

#include "image/image.h"
#include "util/refusals.h"

struct convert_stats {
	size_t objects;
	uint64_t pages;
};

/**
 * convert_check - what in @model would be lost or wrong with mainline
 * Refuses what the job would notice as wrong content: objects whose content is not in the images, extended
 * attributes of objects, packets in pipes, epoll targets whose number leads elsewhere. Warns of attributes that mainline's own images don't have either.
 */
void convert_check(const struct model *model, struct refusals *refusals);

/**
 * convert_warn_policies - name the mappings, threads and shared objects that lose a NUMA memory policy
 * Return: 0 or negative errno (logged): a page map in @dir that can't be read.
 */
int must_check convert_warn_policies(const struct image_dir *dir, const struct model *model);

/**
 * convert_to_mainline - carry it out
 * @model: as image_read() has read it from @dir; its remaps are changed
 * With SIGHUP, SIGINT and SIGTERM blocked it gives up when one of them comes, as with any other error before the
 * rename, leaving the directory as it was. Return: 0 or negative errno (logged).
 */
int must_check convert_to_mainline(struct image_dir *dir, struct model *model, struct convert_stats *ret);

/* --- between the files of the conversion --- */

/** convert_ghost - ghost-file-<@id>.img of shared object @file, chunked; its pages are counted in *@ret_pages. */
int must_check convert_ghost(struct image_dir *dir, const struct shmem_file_image *file, uint32_t id,
			     uint64_t *ret_pages);

/** convert_clean - remove what a converted checkpoint has no use for, also if it is of an earlier try. */
int must_check convert_clean(struct image_dir *dir, const struct model *model);

#endif
