/*
 * Robust futexes (get_robust_list(2)) of tasks that a dump kills. What they hold they hold again after restore, so the
 * kernel must not tell those outside the tree that the owner died; except in an object that stays with others while the
 * tree gets a copy: there it is to tell them, and they must learn it.
 */
#ifndef CRIU_CHECKPOINT_ROBUST_H
#define CRIU_CHECKPOINT_ROBUST_H

#include "checkpoint/dump-ctx.h"

/** robust_disarm - after the commit, before the kill: off the lists with what goes on; a note of what is left behind. */
void robust_disarm(struct dump *dump);

/**
 * robust_wake - after the kill: who waits for a futex that was left behind looks again
 *
 * The kernel wakes one waiter, and none if the futex does not say that there are any. The one may be a task that is
 * dying as well; and it does not say so when its last owner has freed it and taken it again, and
 * was killed before it woke somebody.
 */
void robust_wake(struct dump *dump);

#endif
