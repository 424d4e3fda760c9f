/* Files that are reached by a path: regular files, directories, harmless devices, O_PATH. */
#ifndef CRIU_FILES_REG_H
#define CRIU_FILES_REG_H

#include "files/files.h"

/* What a regular-file entry is made from. */
struct reg_source {
	struct inode *inode;
	const struct stat *st;
	int fd;		    /* to read a build id from, may be O_PATH or write-only; borrowed */
	const char *path;   /* without " (deleted)"; arena */
	unsigned int flags; /* status flags */
	uint64_t pos;
	FownEntry *fown;
};

/** reg_add - fill @entry (type REG) and see whether its name still leads there; refuses what has no lasting path. */
int must_check reg_add(struct files_dump *ctx, const struct reg_source *source, FileEntry *entry);

/** reg_add_desc - the same from a description: also what fifos and terminals refer to by regf_id. */
int must_check reg_add_desc(struct files_dump *ctx, struct file_desc *desc, FileEntry *entry);

/** reg_add_external - entry of a file that --external names. */
int must_check reg_add_external(struct files_dump *ctx, struct file_desc *desc, const char *key);

/**
 * reg_open - open entry @entry by path, remap or inherited descriptor, with @flags; checked against the entry
 * @ret_inherited: set to true when it is the very description that was given with --inherit-fd; may be NULL
 */
int must_check reg_open(struct files_restore *ctx, const FileEntry *entry, int flags, int *ret_fd, bool *ret_inherited);

#endif
