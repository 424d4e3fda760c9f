/*
 * Semaphores that the end of a task changes (SEM_UNDO). It is killed, but it goes on: what it would give
 * back it still has. So nobody may see that change, and restore gives the adjustments back.
 */
#ifndef CRIU_CHECKPOINT_SEMADJ_H
#define CRIU_CHECKPOINT_SEMADJ_H

#include "checkpoint/dump-ctx.h"

/** semadj_plan - look which threads have adjustments to ask them about; sets that the tree uses. Touches nothing. */
int must_check semadj_plan(struct dump *dump);

/** semadj_ask - find out the adjustments of @process, which is open. */
int must_check semadj_ask(struct dump *dump, const struct remote_process *process);

/** semadj_disarm - after the commit: the kill will change no semaphore; warns where it will. */
void semadj_disarm(struct dump *dump);

#endif
