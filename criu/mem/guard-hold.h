/*
 * How the guard holds on to our death: it traces us and is told of our exit before the tasks that we trace are let go.
 * So it can mend first what they must not find: connections in repair mode, terminals and queues that were emptied.
 * guard-watch.c calls these in the guard's process; only async-signal-safe calls.
 *
 * Nobody is told of what arrives meanwhile: while we are held, the guard takes no messages between
 * guard_hold_wait() and guard_hold_release().
 */
#ifndef CRIU_MEM_GUARD_HOLD_H
#define CRIU_MEM_GUARD_HOLD_H

#include <stdbool.h>
#include <sys/types.h>

/** guard_hold_seize - from now on we are held at our exit; false: we can't be, somebody else traces us. */
bool guard_hold_seize(pid_t owner);

/**
 * guard_hold_wait - returns when the owner lets go, or exits
 * guard_hold_exits - is it about to exit? Does not wait. Once it has said so, don't wait any more
 * Return: true: it exits. Either way it stands still until guard_hold_release(), if it is still there.
 */
bool guard_hold_wait(pid_t owner);
bool guard_hold_exits(pid_t owner);
void guard_hold_release(pid_t owner);

#endif
