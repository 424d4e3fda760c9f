/*
 * File locks of all kinds: fcntl(2) F_SETLK, flock(2), F_OFD_SETLK, F_SETLEASE.
 * They belong to descriptors of every kind of file.
 */
#ifndef CRIU_FILES_LOCKS_H
#define CRIU_FILES_LOCKS_H

#include "files/files.h"

/* --- dump (locks.c) ----------------------------------------------------------- */

struct desc_node;

/**
 * locks_collect - locks that are held through @desc, into the model, each once
 * @desc: a descriptor of table @files_id, with its inode if it has one
 * @node: its description
 * Refuses them without --file-locks, and what could not be taken again. For every descriptor of every table: POSIX
 * locks are those of one table.
 */
int must_check locks_collect(struct files_dump *ctx, struct file_desc *desc, const struct desc_node *node,
			     uint32_t files_id);

/** locks_resolve - when all tasks are known: who is to take a lock again. */
void locks_resolve(struct files_dump *ctx);

/** locks_kind_name - "a POSIX lock". */
const char *locks_kind_name(enum proc_lock_kind kind);

/**
 * locks_tell_waiters - warn of processes outside the tree that wait for a lock of it, each once (locks-waiters.c)
 * Only of a tree that is to be killed. In the plan, and again right before the kill.
 */
void locks_tell_waiters(struct files_dump *ctx);

void locks_waiters_free(struct files_dump_state *state);

/* --- restore (locks-restore.c) -------------------------------------------------- */

/** locks_validate - -EINVAL, logged, if the images have locks that nobody asked for. */
int must_check locks_validate(const struct model *model, const struct options *options);

/**
 * locks_take - take the locks that @process held
 * @process: a puppet with all of its descriptors; it must not close one of a locked file any more
 * Before files_settle(), for a lease makes its taker the signal owner of the file. Return: -EAGAIN, logged, with the
 * holder if it can be told, when somebody else holds a conflicting one.
 */
int must_check locks_take(struct files_restore *ctx, struct remote_process *process);

#endif
