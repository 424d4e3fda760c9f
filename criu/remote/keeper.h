/*
 * The keeper: a child of ours that puts our death off.
 *
 * While a seccomp-confined thread runs a call of ours, our end as its tracer would put
 * the filters in force and have it killed. The keeper traces us; if we are killed it holds us
 * at the entrance of our exit (PTRACE_EVENT_EXIT), where we still are the tracer, until that
 * thread has no call before it any more.
 */
#ifndef CRIU_REMOTE_KEEPER_H
#define CRIU_REMOTE_KEEPER_H

#include "remote/process.h"

struct keeper;

struct keeper *keeper_new(void);
/** keeper_rest - ends the child: others may trace us until the next keeper_cover(). */
void keeper_rest(struct keeper *keeper);
/** keeper_end - ends and reaps the child, if there ever was one, and frees. */
void keeper_end(struct keeper *keeper);

/**
 * keeper_cover - from now on @tid may be about to make a call of ours
 * @go: word in its process that makes it heal instead when it is cleared
 *
 * Starts the child when first called. Without one (we are being traced, say) nothing is covered.
 */
void keeper_cover(struct keeper *keeper, pid_t pid, pid_t tid, struct remote_addr go);
/** keeper_uncover - the thread has its own registers again. */
void keeper_uncover(struct keeper *keeper);

#endif
