/* Where the mappings of a puppet may lie while it is being built. */
#ifndef CRIU_MEM_LAYOUT_H
#define CRIU_MEM_LAYOUT_H

#include "image/model.h"

/**
 * layout_find_hole - lowest range that no task of the model maps and we do not either
 * @bytes: wanted size, a multiple of the page size
 * Return: 0 and *ret_start; -ENOMEM, logged, if the tasks leave no such hole.
 */
int must_check layout_find_hole(const struct model *model, uint64_t bytes, uint64_t *ret_start);

/* The mappings the kernel gives every process: [vvar], [vvar_vclock], [vdso], in one group. */
struct vdso_part {
	uint64_t start, bytes;
	bool code; /* [vdso] itself */
};

struct vdso_layout {
	struct vdso_part parts[4];
	size_t n_parts;
};

static inline uint64_t vdso_layout_start(const struct vdso_layout *layout)
{
	return layout->n_parts ? layout->parts[0].start : 0;
}

static inline uint64_t vdso_layout_end(const struct vdso_layout *layout)
{
	return layout->n_parts ? layout->parts[layout->n_parts - 1].start + layout->parts[layout->n_parts - 1].bytes
			       : 0;
}

/** layout_own_vdso - of this process, and so of every puppet forked from it. */
int must_check layout_own_vdso(struct vdso_layout *ret);

/**
 * layout_check_vdso - is the vdso code in @pages that of this kernel?
 * The task's C library remembers addresses in it: another kernel's would crash it.
 * Return: 0, also if the image holds no vdso; -ENOTSUP, logged, if it differs.
 */
struct pagemap;
int must_check layout_check_vdso(const MmEntry *mm, const struct pagemap *pages);

/** layout_image_vdso - of a task in an image; n_parts 0 if it had none. */
int must_check layout_image_vdso(const MmEntry *mm, struct vdso_layout *ret);

#endif
