/*
 * External holders: processes outside the tree that hold one of its shared
 * objects. A new object for the tree would leave them with the old one, and both sides would
 * go on without an error and without each other. So the dump refuses, or leaves the content to them and
 * records how to find the object again (attach), or gives the tree a copy because the user says so.
 */
#ifndef CRIU_MEM_EXTERNAL_H
#define CRIU_MEM_EXTERNAL_H

#include "mem/inode.h"
#include "options.h"
#include "util/refusals.h"

/* --- dump ------------------------------------------------------------------ */

/**
 * external_plan - look for holders outside @tree, and decide about every object that has some
 *
 * Fills inode->outsiders, and inode->attached where restore is to attach. Refusals name
 * object, size, and each holder with pid, comm, range or descriptor, and access.
 */
int must_check external_plan(struct inodes *inodes, const struct remote_tree *tree, const struct options *options,
			     struct refusals *refusals);

/** external_add - the entry of @inode, which has outsiders, into @model. */
int must_check external_add(const struct inode *inode, struct model *model);

/**
 * external_probe - warn of each deleted file that lives on although its known holders have been killed
 *
 * Someone holds it who could not be seen (a descriptor in flight in a socket, io_uring, pinned
 * pages). Objects and ghosts alike; not those that a holder outside is known of, since they live on anyhow. Closes the descriptors of @inodes: to be called last.
 */
void external_probe(struct inodes *inodes);

/* --- restore --------------------------------------------------------------- */

/** external_find - what the dump recorded of object @id, or NULL if only the tree held it. */
const ExternalObjectEntry *external_find(const struct model *model, uint64_t id);

/** external_decide - *ret_attach: attach to the live object (or else make one of the tree's own); logs refusals. */
int must_check external_decide(const ExternalObjectEntry *entry, const struct options *options, bool *ret_attach);

/**
 * external_open - the live object, from whoever still has it
 *
 * By its file handle; else through a recorded holder, if it is still that process and that
 * object; else what the user supplies with --inherit-fd, if it can be that object by type, size and file system.
 * Return: a descriptor (O_PATH), owned by the caller; logged -ENOENT if it is gone
 */
int must_check external_open(const ExternalObjectEntry *entry, const struct options *options);

/**
 * external_share - the open file itself, if file entry @file_id of attached object @object was one with a holder outside
 *
 * Its position and flags are theirs as well. @flags: as recorded, for a look at whether it is still the same.
 * Return: owned by the caller; -ENOENT if there was none, or (a warning) it is gone
 */
int must_check external_share(const struct model *model, uint64_t object, uint32_t file_id, unsigned int flags);

#endif
