/*
 * System V message queues, msgget(2), of the IPC namespace that we are in, too.
 *
 * No task refers to a queue, and it outlives everybody. One that a task of the tree was the last to send to or to
 * receive from, or waits for, is recorded with its messages. As long as it lives it is left alone.
 */
#ifndef CRIU_IPC_MSGQUEUE_H
#define CRIU_IPC_MSGQUEUE_H

#include "image/model.h"
#include "mem/guard.h"

typedef VEC(int) msgqueue_ids;

/** msgqueues_dump - the entries of the queues that the tree uses; @awaited: those that threads wait for. */
int must_check msgqueues_dump(const msgqueue_ids *awaited, struct model *model);

/**
 * msgqueues_check - can every queue of @model be had? Nothing is changed.
 * Return: 0; -EEXIST, logged with the queue that is in the way; -EBUSY: tasks of the tree have used it since the
 * dump; -ENOENT: it is gone, and its messages were not saved
 */
int must_check msgqueues_check(const struct model *model);

/** msgqueues_make - make those that are gone, with their messages. */
int must_check msgqueues_make(const struct model *model, struct guard *guard);

#endif
