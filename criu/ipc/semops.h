/*
 * Lists of operations for one semop(2) that reveal or change the adjustment of a semaphore (SEM_UNDO) and leave
 * its value alone.
 *
 * The kernel shows nobody what it will add to a semaphore when a process ends. But it does the operations of one call one
 * after the other, fails with ERANGE at the first that would take an adjustment out of its
 * range, and takes all of them back if any fails. So a call that is bound to fail tells by its errno whether the adjustment is as large
 * as that, and nobody else can notice.
 */
#ifndef CRIU_IPC_SEMOPS_H
#define CRIU_IPC_SEMOPS_H

#include <stddef.h>
#include <sys/sem.h>

#define SEMOPS_MAX 12 /* in each list */

#define SEMVAL_MAX     32767
#define SEM_ADJUST_MIN (-32768)
#define SEM_ADJUST_MAX 32767

/**
 * semops_at_most, semops_at_least - is the adjustment at most, at least @limit?
 * @ops:   room for SEMOPS_MAX; filled
 * @value: of the semaphore, as read right before
 * Return: how many operations. The call fails: with ERANGE if it is; with EAGAIN if not, or if the
 * value is another by now.
 */
size_t semops_at_most(struct sembuf *ops, unsigned short num, int value, int limit);
size_t semops_at_least(struct sembuf *ops, unsigned short num, int value, int limit);

/**
 * semops_shift - add @delta to the adjustment; 0: only become the last who operated on the semaphore
 * @value: as read right before; another by now may make the call fail with EAGAIN or ERANGE, nothing worse
 */
size_t semops_shift(struct sembuf *ops, unsigned short num, int value, int delta);

/** semops_set - give the semaphore the value @to if it has still the value @from; EAGAIN if not. */
size_t semops_set(struct sembuf *ops, unsigned short num, int from, int to);

#endif
