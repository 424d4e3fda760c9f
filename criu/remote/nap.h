/*
 * Running a stub that ends in a nap: the way to drive a thread whose signals
 * can't be blocked, or can't be used to end a batch.
 *
 * One go from start to end, with no stop in between at which the thread would be about to
 * make a call. We end the nap with an interrupt. A signal that arrives
 * before is delivered as if we were not there, and the run is repeated.
 */
#ifndef CRIU_REMOTE_NAP_H
#define CRIU_REMOTE_NAP_H

#include "remote/process.h"

struct nap_run {
	struct remote_thread *thread;
	/*
	 * Write the stub, made from thread->resume_regs and sigmask, and fill in @regs. Called again for each
	 * repetition, so what the calls do must bear being done in part before.
	 */
	int (*prepare)(struct nap_run *run);
	void *arg;
	struct user_regs_struct regs; /* in: where to start; out: as found at the end */
	struct remote_addr go;	      /* see keeper_cover() */
	struct remote_range stub;
	uint64_t done_from, done_to; /* the thread is through when its rip is in between, both included */
};

/**
 * nap_run - returns with the thread in an event stop
 *
 * It has its own registers and mask then, and is not parked; a puppet is left where it is.
 */
int must_check nap_run(struct nap_run *run);

#endif
