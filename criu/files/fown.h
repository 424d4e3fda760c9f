/*
 * Who is told by signal that a descriptor became ready: fcntl(2) F_SETOWN_EX,
 * F_SETSIG. Every kind of file has it.
 */
#ifndef CRIU_FILES_FOWN_H
#define CRIU_FILES_FOWN_H

#include "files/files.h"

/**
 * fown_dump - signal owner of @desc, in the model's arena
 * Refuses an owner outside the tree: after restore its number could be anybody's.
 */
int must_check fown_dump(struct files_dump *ctx, const struct file_desc *desc, FownEntry **ret);

/** fown_none - an entry for what nobody owns (mappings, exe, cwd, root). */
FownEntry *fown_none(struct model *model);

/** fown_of - the owner entry that belongs to @entry, or NULL. */
const FownEntry *fown_of(const struct model *model, const FileEntry *entry);

/** fown_flags - the status flags of @entry as they were, O_ASYNC included; 0 if it has none. */
unsigned int fown_flags(const struct model *model, const FileEntry *entry);

int must_check fown_validate(const FownEntry *fown);

/** fown_set_owner - @fown, which exists, or nobody, becomes the owner of @fd (borrowed), with the user ids it had. */
int must_check fown_set_owner(const FownEntry *fown, int fd);

/** fown_restore - owner and signal of @entry's description @fd (borrowed), when every task exists. */
int must_check fown_restore(const struct model *model, const FileEntry *entry, int fd);

#endif
