/* Is the file system that a file finds at restore one it can be on, and has it room? */
#ifndef CRIU_MEM_FS_PLACE_H
#define CRIU_MEM_FS_PLACE_H

#include <stdint.h>

#include "mem/tmpfs.h"
#include "util/macros.h"

/* A file that is to be made, and where. */
struct fs_place {
	const char *path; /* of the file */
	uint64_t magic;	  /* statfs(2) of the file system it was on; 0: not known */
	const char *type; /* its name; may be NULL */
	const char *dir;  /* the directory it is to be made in */
	int dir_fd;	  /* borrowed */
	int refused;	  /* -errno: why another directory, below this one, takes no file; 0: there is none */
	struct tmpfs_mounts *mounts; /* to name what is there; may be NULL */
};

/**
 * fs_place_check - refuse a directory on a file system where the file would be another thing
 *
 * Memory would be written to a disk, or a file of a disk take memory, without a word. The error says what to mount.
 * A disk with a file system of another type is only warned of, unless the file's own directory takes no file.
 */
int must_check fs_place_check(const struct fs_place *place);

/** fs_room_hint - what to do about error @err (> 0), to be put behind a message; "" if it is not about room. */
const char *fs_room_hint(int err);

#endif
