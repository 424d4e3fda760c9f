/*
 * Stopping a whole tree and letting it go. A stop costs the target nothing but
 * time: released, or left by our death, it goes on as if nothing had happened.
 */
#ifndef CRIU_REMOTE_SEIZE_H
#define CRIU_REMOTE_SEIZE_H

#include "remote/process.h"
#include "util/refusals.h"

/**
 * seize_tree - stop every thread of @root and all its descendants
 * @timeout_s: error out after this long
 * @refusals: gets the reasons why a task can't be stopped
 *
 * Goes on until no new thread or child shows up, so tasks that clone or fork
 * meanwhile are caught. Zombies are listed, not stopped. Tasks
 * that can't be stopped or followed (traced by another, a dead main thread, an address space
 * shared with another process) are refused by name and the whole tree is released.
 * Return: 0 and the tree; -ESRCH if there is no such task; -EBUSY after refusals.
 */
int must_check seize_tree(pid_t root, unsigned int timeout_s, struct refusals *refusals, struct remote_tree *ret);

/** seize_bind - from here on our death kills every task of the tree at once. */
void seize_bind(struct remote_tree *tree);

enum release {
	RELEASE_RUN,  /* as they were: running, or still group-stopped */
	RELEASE_STOP, /* stopped by SIGSTOP */
	RELEASE_KILL,
};

/** seize_release - detach from (or kill and reap) every task and free the tree. */
void seize_release(struct remote_tree *tree, enum release how);

#endif
