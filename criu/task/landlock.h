/* Is a thread confined by Landlock, beyond what criu itself is? */
#ifndef CRIU_TASK_LANDLOCK_H
#define CRIU_TASK_LANDLOCK_H

#include "kernel/proc.h"

struct landlock_probe;

/**
 * landlock_probe_new - what the threads of a dump are asked with; NULL if this kernel has no Landlock
 * @first: whom it will be used on first: getting ready takes a moment, which is not waited for here
 */
struct landlock_probe *landlock_probe_new(const struct proc_status *first);

/** landlock_probe_freep - waits for the children that the probe is made of. */
void landlock_probe_freep(struct landlock_probe **probe);

#endif
