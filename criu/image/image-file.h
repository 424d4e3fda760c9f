/* Between the files of criu/image: descriptors of single image files. */
#ifndef CRIU_IMAGE_IMAGE_FILE_H
#define CRIU_IMAGE_IMAGE_FILE_H

#include "image/image.h"

/** image_create_fd - a new, empty file, replacing an old one of that name; owned; logged -errno. */
int must_check image_create_fd(struct image_dir *dir, const char *name);

/** image_create_named - image_create() under a name of the caller's choice; @name must outlive the writer. */
int must_check image_create_named(struct image_dir *dir, enum image_kind kind, const char *name,
				  struct image_writer **ret);

/** image_add_unsynced - hand over a finished file: image_sync() answers for it. */
void image_add_unsynced(struct image_dir *dir, int fd);

/** image_unsynced_close - nobody asks any more whether those files are on disk. */
void image_unsynced_close(struct image_dir *dir);

/** image_discard - remove a file an earlier dump may have left and this one does not write. */
int must_check image_discard(struct image_dir *dir, enum image_kind kind, uint64_t id);

/** image_open_fd - open an existing image for reading; owned; -ENOENT silently, else logged -errno. */
int must_check image_open_fd(const struct image_dir *dir, const char *name, uint64_t *ret_bytes);

#endif
