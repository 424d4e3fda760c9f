/* A thread in vfork(2) can't be stopped until its child executes a program or ends. */
#ifndef CRIU_REMOTE_VFORK_H
#define CRIU_REMOTE_VFORK_H

#include "remote/process.h"

/* How long a child may take before its parent is given up. */
#define VFORK_PATIENCE_US 1000000

/** vfork_waits - is this blocked thread in such a call? Seen from outside; not to be asked of one that was stopped. */
bool vfork_waits(const struct remote_thread *thread);

#endif
