#ifndef CRIU_REMOTE_SEIZE_PROCESS_H
#define CRIU_REMOTE_SEIZE_PROCESS_H

/* Stopping all threads of one process, in two steps so that those of many overlap. */

#include "remote/process.h"
#include "util/refusals.h"

/* How long threads may take to end, or an exec to have a main thread again. */
#define SETTLE_PATIENCE_MS 200

/**
 * seize_process_begin - attach to the threads of a process and tell them to stop.
 * @process's state is REMOTE_ZOMBIE afterwards if it is one.  What can't be dumped goes to
 * @refusals.  -ESRCH if it has gone.
 */
int must_check seize_process_begin(struct refusals *refusals, struct remote_process *process);

/**
 * seize_process_finish - wait until they have stopped, with those born meanwhile.
 * Reads the registers, stat and status.  -ESRCH if it has gone.
 */
int must_check seize_process_finish(struct refusals *refusals, struct remote_process *process);

#endif
