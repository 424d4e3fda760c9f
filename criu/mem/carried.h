/*
 * Carried files (--tmpfs-content): files of a tmpfs that have their names, and whose content the
 * images carry so that a job survives a reboot. While such a file is there it is left alone; restore
 * makes it only where its name is gone.
 */
#ifndef CRIU_MEM_CARRIED_H
#define CRIU_MEM_CARRIED_H

#include "image/image.h"
#include "mem/guard.h"
#include "mem/inode.h"
#include "options.h"

/* --- dump ------------------------------------------------------------------ */

/** carried_note - the tree uses @inode by the name @path, which leads there; @path lives as long as the model. */
void carried_note(struct inode *inode, const char *path, const struct options *options);

/** carried_note_link - @inode has links left, but the name that the tree used is gone. */
void carried_note_link(struct inode *inode, const struct options *options);

/** carried_add - the entry of @inode into @model, without its names; @file: its metadata. */
void carried_add(struct inode *inode, ShmemFileEntry *file, struct model *model);

/** carried_dump - names, and the directories they are in; after remap_dump() has made its links */
int must_check carried_dump(struct inodes *inodes, struct model *model);

/* --- restore --------------------------------------------------------------- */

struct carried_files;

/**
 * carried_make - make those whose names are gone, and the directories they were in
 * Refuses where a name is another file's, and where their tmpfs is not mounted. Names and directories are
 * removed again if the restore fails or is killed.
 */
int must_check carried_make(const struct model *model, const struct image_dir *dir, struct guard *guard,
			    struct carried_files **ret);

/** carried_settle - times, which later opens and writes would have moved. */
int must_check carried_settle(struct carried_files *files);

/** carried_keep - the tree runs: the files stay. */
void carried_keep(struct carried_files *files);

void carried_free(struct carried_files *files);

#endif
