/*
 * Descriptors of ours into a puppet: the puppet itself fetches them with
 * pidfd_getfd(2) from us, so no socket and no message is needed. All of it must
 * happen before the puppet drops its credentials.
 */
#ifndef CRIU_REMOTE_COURIER_H
#define CRIU_REMOTE_COURIER_H

#include "remote/batch.h"

/* A pidfd of ours, inherited by every puppet under this number; closed in each at the end. */
struct courier {
	int pidfd; /* owned; number above every descriptor a task will have */
};

/** courier_open - before the first fork; @above: no task has a descriptor with this or a higher number. */
int must_check courier_open(int above, struct courier *ret);

/** courier_clear - queue: close everything the puppet was forked with but the courier. */
int must_check courier_clear(const struct courier *courier, struct batch *batch);

/**
 * courier_lend - queue: fetch @our_fd into the puppet
 * Return: the call's index. Its result, batch_ret(), is the descriptor's number
 * there: the lowest free one, which a caller that goes on without it has to know.
 */
int courier_lend(const struct courier *courier, struct batch *batch, int our_fd);

struct courier_item {
	int fd;	    /* ours; borrowed */
	int number; /* in the task */
	bool cloexec;
};

/**
 * courier_install - give a puppet with an empty descriptor table its descriptors
 * @items: in ascending order of number
 */
int must_check courier_install(const struct courier *courier, struct remote_process *process,
			       const struct courier_item *items, size_t n);

/** courier_close - queue: close the courier in the puppet. */
int must_check courier_close(const struct courier *courier, struct batch *batch);

#endif
