/*
 * Inodes that somebody watches (inotify.c, fanotify.c): known by file handle, whatever their names are now, or where
 * there are none, by a name that was looked for (irmap.h).
 * A deleted file that a task has open or mapped is watched again as what takes its place.
 */
#ifndef CRIU_FILES_WATCHED_H
#define CRIU_FILES_WATCHED_H

#include "files/files-internal.h"

struct watched {
	uint32_t dev; /* as the kernel has it: 20 bits for the minor number */
	uint64_t ino; /* likewise; dump only */
	FhEntry *handle;
};

/* Inodes of one file system are opened through one descriptor: { .fd = -1 } before the first. */
struct watched_anchor {
	dev_t dev;
	int fd; /* owned */
};

static inline void watched_anchor_free(struct watched_anchor *anchor)
{
	close_fdp(&anchor->fd);
}

dev_t watched_dev(const struct watched *watched);

/** watched_handle - the entry of a handle in fdinfo. */
FhEntry *watched_handle(struct model *model, const struct proc_watch *watch);

#define WATCHED_OUTSIDE 1

/* For a refusal, with what errno says of it. */
#define WATCHED_UNKNOWN                                                                                                \
	"to which neither a file handle leads (%s) nor a name that was found; name a directory above it with "         \
	"--irmap-scan-path, or remove the watch before the dump"

/**
 * watched_resolve - plan, when all files are known: what restore is to open; the path goes into the handle's entry
 * @ret_file_id: the entry of a deleted file of the tree, or 0
 * Return: 0; WATCHED_OUTSIDE: deleted, and nobody in the tree has it; -errno, not logged, if the handle can't be opened
 * and no name was found. With --force-irmap the handle is left out, and a name has to be there.
 */
int must_check watched_resolve(struct files_dump *ctx, struct watched_anchor *anchor, const struct watched *watched,
			       uint32_t *ret_file_id);

/** watched_open - O_PATH descriptor of the inode, or what took its place; owned by the caller; -errno, not logged. */
int must_check watched_open(struct files_restore *ctx, struct watched_anchor *anchor, const struct watched *watched,
			    uint32_t file_id);

#endif
