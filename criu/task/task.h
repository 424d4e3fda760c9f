/*
 * What a task is: one file per attribute group, each with its dump and its
 * restore, and one ordered table of them (task.c). The order of the table is
 * the restore order.
 */
#ifndef CRIU_TASK_TASK_H
#define CRIU_TASK_TASK_H

#include <signal.h>

#include "image/model.h"
#include "kernel/features.h"
#include "options.h"
#include "remote/batch.h"
#include "task/landlock.h"
#include "util/refusals.h"

/* What an attribute's functions work on: one thread, dumped or restored. */
struct task_ctx {
	struct remote_thread *thread;
	struct model *model;
	struct task_image *image; /* of the thread's process */
	CoreEntry *core;	  /* of this thread */
	bool leader;
	const struct kernel_features *features;
	const struct options *options;
	struct landlock_probe *landlock; /* of a dump, if the kernel has Landlock */
	struct refusals *refusals;	 /* of a dump */
};

struct task_attr {
	const char *name;

	/*
	 * Dump, all optional. plan: read from outside and refuse what can't be
	 * saved; the target has not been touched. queue: add remote calls;
	 * *ret_priv (arena memory) carries their indices to dump, which reads
	 * the results into ctx->core. Process-wide attributes return at once
	 * when !ctx->leader. What can't be saved after all is -ENOTSUP or -EBUSY.
	 */
	int (*plan)(struct task_ctx *ctx, struct refusals *refusals);
	int (*queue)(struct task_ctx *ctx, struct batch *batch, void **ret_priv);
	int (*dump)(struct task_ctx *ctx, struct batch *batch, void *priv);

	/* Restore: check an untrusted entry before the first fork; queue the calls that set it. */
	int (*validate)(const struct task_ctx *ctx);
	int (*restore)(struct task_ctx *ctx, struct batch *batch);

	/*
	 * The same, for what must come last: after the memory is final and all
	 * threads and relatives exist, right before the scratch area goes
	 * (timers armed, credentials dropped, signals pending, seccomp).
	 */
	int (*settle)(struct task_ctx *ctx, struct batch *batch);
};

extern const struct task_attr *const task_attrs[];
extern const size_t task_attrs_len;

/** task_plan - run every attribute's plan for one thread. */
int must_check task_plan(struct task_ctx *ctx, struct refusals *refusals);

/**
 * task_dump - fill the core of all given threads, of one process or of several
 * @ctxs: one per thread; a leader's core->tc is filled too; image->ids is left to the caller
 *
 * One batch a thread, several threads at a time, plus what can be read from outside.
 */
int must_check task_dump(struct task_ctx *ctxs, size_t n);

/**
 * task_disarm - take futexes off the robust list of a thread that is about to be killed for good
 *
 * At its end the kernel would tell those outside the tree that the owner has died, while it
 * is going to hold them again when it is restored.
 * @stays: is the futex at this address one that it is not going to hold again?
 */
void task_disarm(const struct remote_thread *thread, bool (*stays)(void *arg, uint64_t addr), void *arg);

/** task_add_pending - one more signal for the whole process, before task_settle(): it came while the process was away. */
void task_add_pending(const struct model *model, const struct task_image *image, const siginfo_t *info);

/** task_dump_zombie - core of a process that has exited: state, exit code, comm, credentials. */
int must_check task_dump_zombie(struct remote_process *process, struct model *model, struct task_image *image);

/**
 * task_restore_zombie - name and credentials for a puppet that is about to exit; queues and runs
 * @creds: NULL: as they are
 */
int must_check task_restore_zombie(struct task_ctx *ctx, CredsEntry *creds);

/** task_validate - refuse images whose values can't be what a kernel gave. */
int must_check task_validate(const struct task_ctx *ctx);

/** task_restore, task_settle - queue and run the calls of puppets' threads, leaders last. */
int must_check task_restore(struct task_ctx *ctxs, size_t n);
int must_check task_settle(struct task_ctx *ctxs, size_t n);

/**
 * task_pending_signals - which signals a process of the image has pending, in any thread (bit 0 is signal 1)
 *
 * These are queued by task_settle(); none of them can end the batches of the puppet.
 */
uint64_t task_pending_signals(const struct task_image *image);

/** task_restore_umask - queue the call that sets the umask of @fs, if it has one. */
int must_check task_restore_umask(const FsEntry *fs, struct batch *batch);

#endif
