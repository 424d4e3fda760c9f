/*
 * System V semaphore sets, semget(2), of the IPC namespace that we are in, too, and the adjustments that the
 * kernel makes when a process ends (SEM_UNDO).
 *
 * No task refers to a set: its id is a plain number, and the set outlives everybody. A set that was last operated
 * on by a task of the tree, that one of them waits for, or that one has adjustments of, is recorded. As long as it lives it is left where it is.
 */
#ifndef CRIU_IPC_SEMSET_H
#define CRIU_IPC_SEMSET_H

#include <sys/sem.h>

#include "image/model.h"
#include "mem/guard.h"
#include "remote/batch.h"

/* --- dump ------------------------------------------------------------------ */

struct semset {
	int id;
	struct semid_ds ds;
	unsigned short *values; /* NULL: we may not read it */
	pid_t *pids;		/* of each semaphore, who operated last; 0: nobody, or none of our pid namespace */
	bool used;		/* by the tree */
	VEC(SysvSemAdjustEntry *) adjusts;
};

/* All of the namespace, by index in the kernel's table. */
struct semsets {
	VEC(struct semset) all;
	struct arena *arena; /* borrowed: the model's */
};

/** semsets_collect - every set there is, @ret->...used where the last to operate on it is a task of @model. */
int must_check semsets_collect(const struct model *model, struct semsets *ret);
void semsets_free(struct semsets *sets);

/** semsets_await - a thread waits in semop(2) for set @id: it is used. */
void semsets_await(struct semsets *sets, int id);

/** semsets_may_be_adjusted - has anybody ever operated on any set? */
bool semsets_may_be_adjusted(const struct semsets *sets);

/* What the kernel will add to one semaphore. */
struct semadjust {
	struct semset *set;
	uint16_t num;
	int adjust;
};
typedef VEC(struct semadjust) semadjusts;

/**
 * semsets_measure - what will the kernel add to each semaphore when @thread ends?
 * @thread: of an opened process (remote_open()); with a list of adjustments, kcmp(2) KCMP_SYSVSEM
 *
 * It makes calls of semop(2) that fail. Nobody can notice, but the thread's list has an empty entry for each set from
 * then on; so when the process ends, the set's time of last operation will be that.
 * Return: 0; logged -errno, -EACCES if the thread may not operate on a set any more that the tree has used.
 */
int must_check semsets_measure(struct semsets *sets, struct remote_thread *thread, semadjusts *ret);

/** semsets_adjusted - @adjust is what the end of task @pid does. */
void semsets_adjusted(struct semsets *sets, const struct semadjust *adjust, pid_t pid);

/** semsets_dump - the entries of all that are used, into @model. */
void semsets_dump(const struct semsets *sets, struct model *model);

/**
 * semsets_disarm - take the adjustments off @thread, which is about to be killed for good; values stay
 * @sets: as measured; those that have ended meanwhile are passed over
 * Return: 0, or logged -errno if the end of the thread will change a semaphore.
 */
int must_check semsets_disarm(struct semsets *sets, struct remote_thread *thread);

/* --- restore --------------------------------------------------------------- */

struct semsets_restore;

/**
 * semsets_check - can every set of @model be had? Nothing is changed.
 * Return: 0; -EEXIST, logged with the set that is in the way.
 */
int must_check semsets_check(const struct model *model);

/**
 * semsets_make - find the sets again, or make those that are gone
 *
 * A set that lives on keeps the values that processes outside the tree gave it. Semaphores that tasks of the tree were
 * the last to operate on (after the dump, if that let them run; an earlier restore) get the value of the dump again.
 * Return: 0 and *ret, freed with semsets_restore_free(); logged -errno.
 */
int must_check semsets_make(const struct model *model, struct guard *guard, struct semsets_restore **ret);
void semsets_restore_free(struct semsets_restore *sets);

/** semsets_concern - is there anything for semsets_replay() to do in task @pid? */
bool semsets_concern(const struct semsets_restore *sets, pid_t pid);

/**
 * semsets_replay - give a puppet its adjustments, and semaphores their last operator; from then on its death has effects
 * semsets_take_back - the first again undone, before it is killed for nothing
 * @process: a puppet, stopped, signals blocked; its registers are lost
 */
int must_check semsets_replay(const struct semsets_restore *sets, struct remote_process *process);
int must_check semsets_take_back(const struct semsets_restore *sets, struct remote_process *process);

#endif
