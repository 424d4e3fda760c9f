/* Directories that carried files (mem/carried.h) need, between the mount point and the file. */
#ifndef CRIU_MEM_CARRIED_DIRS_H
#define CRIU_MEM_CARRIED_DIRS_H

#include "image/model.h"
#include "mem/guard.h"
#include "mem/tmpfs.h"

/* --- dump ------------------------------------------------------------------ */

/**
 * carried_dirs_add - entries of the directories above @path, outermost first, each only once
 * @seen: those that have one; empty at first
 * @dev:  of the file: only directories of the same file system, and not where it is mounted
 */
int must_check carried_dirs_add(const char *path, dev_t dev, struct hash *seen, struct model *model);

/** carried_mount_root - the directory at or above that of @path where its file system is mounted; owned by the caller. */
char *carried_mount_root(const char *path);

/* --- restore --------------------------------------------------------------- */

struct carried_dirs;

struct carried_dirs *carried_dirs_new(const struct model *model, struct guard *guard);

/**
 * carried_dirs_open_parent - path_open_parent() of @path, which makes the directories that are missing
 *
 * Only on a tmpfs, only those in the images, and never through a symbolic link. They are removed again if the restore
 * fails or is killed before guard_commit_cancel().
 */
int must_check carried_dirs_open_parent(struct carried_dirs *dirs, const char *path, struct tmpfs_mounts *mounts,
					const char **ret_name);

/** carried_dirs_keep - those that were made stay. */
void carried_dirs_keep(struct carried_dirs *dirs);
void carried_dirs_free(struct carried_dirs *dirs);

#endif
