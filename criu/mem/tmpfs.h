/* Mount options of a tmpfs that its files notice. */
#ifndef CRIU_MEM_TMPFS_H
#define CRIU_MEM_TMPFS_H

#include <sys/types.h>

#include "kernel/proc.h"

/* The mounts that criu sees, read on first use and then taken to stay. */
struct tmpfs_mounts {
	proc_mounts mounts;
	bool read;
};

/** tmpfs_mount_of - the mount of the file system @dev, or NULL. */
const struct proc_mount *tmpfs_mount_of(struct tmpfs_mounts *mounts, dev_t dev);

/**
 * tmpfs_options - of the options of a tmpfs (the last part of its line in mountinfo) those that its files notice
 * Return: "huge=always,noswap", in the kernel's order; "" if there are none; owned by the caller.
 */
char *tmpfs_options(const char *super_options);

/**
 * tmpfs_compare - warn if a file is made on a tmpfs of other options than it was on
 * @path: its name
 * @before: tmpfs_options() of then; NULL: not known
 * @fd: of the file or its directory
 */
void tmpfs_compare(struct tmpfs_mounts *mounts, const char *path, const char *before, int fd);

void tmpfs_mounts_free(struct tmpfs_mounts *mounts);

#endif
