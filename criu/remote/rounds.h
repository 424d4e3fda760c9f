/*
 * Many calls in many processes: each process runs one batch after the other, and the batches of all
 * processes run side by side.
 */
#ifndef CRIU_REMOTE_ROUNDS_H
#define CRIU_REMOTE_ROUNDS_H

#include "remote/batch.h"

/* One process, and what is asked of it. */
struct round_task {
	struct remote_process *process; /* has a scratch area: remote_open() */
	void *arg;			/* of the functions */
	bool queued;
	struct batch *batch;
};

struct round_calls {
	/* Queue what has room in @batch, which is empty; *ret_any: something was. Nothing: this process is done. */
	int (*queue)(void *arg, struct batch *batch, bool *ret_any);
	/* Read the results of what was queued last. */
	int (*collect)(void *arg, struct batch *batch);
};

/** rounds_run - until no process has anything to ask; after an error, too, nobody is left running calls of ours. */
int must_check rounds_run(struct round_task *tasks, size_t n, const struct round_calls *calls);

#endif
