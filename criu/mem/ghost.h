/* Ghost images: deleted files saved whole, laid out as mainline does. */
#ifndef CRIU_MEM_GHOST_H
#define CRIU_MEM_GHOST_H

#include "image/image.h"
#include "mem/guard.h"
#include "mem/inode.h"

/** ghost_entry - metadata of @inode; *ret is in the arena. */
int must_check ghost_entry(const struct inode *inode, struct arena *arena, GhostFileEntry **ret);

/** ghost_dump - ghost-file-<id>: @entry and, for a regular file, the content of @inode. */
int must_check ghost_dump(struct image_dir *dir, const struct inode *inode, uint32_t id, const GhostFileEntry *entry);

/** ghost_make - the file, without a name; one descriptor per path as in remap_make_unnamed(). */
int must_check ghost_make(const struct image_dir *dir, const struct ghost_image *ghost, const char *const *paths,
			  size_t n_paths, struct guard *guard, int *ret_fds);

/** ghost_set_times - those of @entry, once more when every holder is attached: mapping a file moves its access time. */
int must_check ghost_set_times(const GhostFileEntry *entry, int fd, const char *path);

#endif
