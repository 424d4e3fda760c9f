/*
 * A tree that is only looked at: nobody is attached to, nobody stops, so what was read of a task may be out of date
 * at once, and a task may end at any moment. Registers, signal masks and all that takes ptrace(2) stays unknown.
 */
#ifndef CRIU_REMOTE_WATCH_H
#define CRIU_REMOTE_WATCH_H

#include "remote/process.h"
#include "util/refusals.h"

/**
 * watch_tree - list @root and all its descendants with their threads, from /proc alone
 *
 * Whom seize_tree() would not stop is refused in the same words: traced tasks, dead main threads, ourselves.
 * Processes that end meanwhile are left out or zombies.
 * Return: 0 and the tree, freed by watch_free(); -ESRCH, logged, if there is no such task.
 */
int must_check watch_tree(pid_t root, struct refusals *refusals, struct remote_tree *ret);

/** watch_is_gone - has thread @tid of a watched process ended? False for a process that is not watched. */
bool watch_is_gone(const struct remote_process *process, pid_t tid);

void watch_free(struct remote_tree *tree);

#endif
