/*
 * Batches: a list of system calls that one stopped thread executes in one go.
 * A hundred of them cost as much as two single ones.
 *
 *	struct batch *b;
 *	batch_new(thread, &b);
 *	struct remote_addr out = batch_data(b, NULL, sizeof(stack_t));
 *	int op = batch_add(b, __NR_sigaltstack, 0, out.v);
 *	batch_run(b);
 *	if (batch_ret(b, op) < 0) ...
 *	const stack_t *ss = batch_local(b, out);
 *
 * Two results: batch_run() says whether the calls were executed (transport),
 * batch_ret() what the target's kernel answered. Calls queued with
 * batch_must() make batch_run() fail when they do.
 */
#ifndef CRIU_REMOTE_BATCH_H
#define CRIU_REMOTE_BATCH_H

#include "remote/process.h"

struct batch;

#define BATCH_MAX_OPS	 192
#define BATCH_DATA_BYTES (48 * 1024UL)

/**
 * batch_new - an empty batch for @thread
 * @thread: stopped; its process has a scratch area (remote_open(), remote_open_puppet())
 * Return: 0 or logged -errno. The batch is freed with batch_free().
 */
int must_check batch_new(struct remote_thread *thread, struct batch **ret);
void batch_free(struct batch *batch);

struct remote_thread *batch_thread(const struct batch *batch);

/**
 * batch_room - make sure that @n_ops more calls and @data_bytes more data fit,
 * running what is queued if they do not (results and data of before are then
 * gone: call it before a group whose results you want, never inside one).
 */
int must_check batch_room(struct batch *batch, size_t n_ops, size_t data_bytes);

/**
 * batch_data - room for @bytes in the target, 16-byte aligned
 * @init: bytes to put there, or NULL for zeros
 * Return: its address in the target. Batch_room() must have promised the room.
 */
struct remote_addr batch_data(struct batch *batch, const void *init, size_t bytes);

/* Queue one call: batch_add(b, __NR_dup3, old, new, flags). Missing arguments are 0. Returns its index. */
#define batch_add(batch, nr, ...) batch_add_args(batch, NULL, nr, (const uint64_t[6]){ __VA_ARGS__ })
/* The same for a call that has to succeed; @what names it in the error: "set the umask". */
#define batch_must(batch, what, nr, ...) batch_add_args(batch, what, nr, (const uint64_t[6]){ __VA_ARGS__ })
int batch_add_args(struct batch *batch, const char *what, long nr, const uint64_t args[6]);

/* Run what is queued and wait; afterwards the batch is empty but its results can be read until the next batch_add/data. */
int must_check batch_run(struct batch *batch);

/* The same in two halves, so that batches of several processes run side by side. */
int must_check batch_start(struct batch *batch);
int must_check batch_wait(struct batch *batch);

/** batch_ret - result of call number @op of the last run: >= 0 or -errno of the target's kernel. */
long batch_ret(const struct batch *batch, int op);

/** batch_local - local copy, as of the end of the last run, of data at @addr. */
void *batch_local(struct batch *batch, struct remote_addr addr);

static inline void batch_freep(struct batch **batch)
{
	if (*batch)
		batch_free(*batch);
	*batch = NULL;
}

#endif
