/*
 * What the checks of files.img and of the objects behind it share, for
 * image-check-files.c, -objects.c, -unix.c and -inet.c only.
 */
#ifndef CRIU_IMAGE_IMAGE_CHECK_FILES_H
#define CRIU_IMAGE_IMAGE_CHECK_FILES_H

#include "image/image-check.h"

#define IMAGE_HANDLE_MAX_BYTES 128

/* What file entries point to, by id. */
struct image_objects {
	struct hash ttys, memfds, pipes, ghosts, shmem_files, sockets;
};

/**
 * image_objects_collect - check the objects behind files and enter them into @objects
 *
 * The caller releases @objects with image_objects_free(), after a failure too.
 */
int must_check image_objects_collect(const struct model *model, struct image_objects *objects);

void image_objects_free(struct image_objects *objects);

/** image_check_path - is @path, the name of @what with number @id, absolute and not too long? */
int must_check image_check_path(const char *path, const char *what, uint32_t id);

/** image_check_body - the message a known type needs: present, and of the same id. */
int must_check image_check_body(const FileEntry *file, const void *body, uint32_t id);

#define image_check_part(file, part) image_check_body(file, (file)->part, (file)->part ? (file)->part->id : 0)

/** image_handle_is_whole - does the file handle have the bytes it says it has, and not too many? */
static inline bool image_handle_is_whole(const FhEntry *handle)
{
	return handle->bytes <= IMAGE_HANDLE_MAX_BYTES && handle->n_handle * sizeof(uint64_t) >= handle->bytes;
}

/** image_collect_unix - enter the unix sockets into @objects, by inode number. */
int must_check image_collect_unix(const struct model *model, struct image_objects *objects);

/** image_check_unix - one unix socket, once all are entered into @objects. */
int must_check image_check_unix(const struct image_objects *objects, const FileEntry *file);

/** image_check_inet - one internet socket. */
int must_check image_check_inet(const FileEntry *file);

/** image_check_sk_packets - the messages queued in sockets. */
int must_check image_check_sk_packets(const struct model *model);

#endif
