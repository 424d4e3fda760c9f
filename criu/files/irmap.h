/*
 * Names of inodes that no file handle leads to (watched.c): file systems without handles, such as an overlayfs with its
 * defaults, show of a watched inode only its number. So files are looked at until it is found: below the directories
 * of --irmap-scan-path, those that the tree has open and the directories above them, and where programs usually watch.
 *
 * Numbers are those of the kernel's own inode, as a watch of ours on the same file shows them; stat(2) has others on
 * overlayfs and btrfs.
 */
#ifndef CRIU_FILES_IRMAP_H
#define CRIU_FILES_IRMAP_H

#include "files/files.h"

/**
 * irmap_open - O_PATH descriptor of an inode, by looking for it
 * @dev: of its file system, as the kernel has it: 20 bits for the minor number
 * Return: owned by the caller; -ENOENT if it is not found, not logged. What was seen on the way is kept for the next
 * call, until irmap_free().
 */
int must_check irmap_open(struct files_dump *ctx, uint32_t dev, uint64_t ino);

struct irmap;
void irmap_free(struct irmap *irmap);

#endif
