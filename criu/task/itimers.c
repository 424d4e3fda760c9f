/*
 * Interval timers of a process (setitimer).
 *
 * What the kernel keeps: three of them, seen and set only by the process
 * itself. The remaining time is kept: a timer stands still between dump and
 * restore. They are started by the very last call of a restore.
 */
#include "task/attrs.h"

#include <sys/syscall.h>
#include <sys/time.h>

#include "util/log.h"

#define N_ITIMERS    3
#define USEC_PER_SEC 1000000UL

struct kernel_itimerval {
	int64_t interval_sec, interval_usec, value_sec, value_usec;
};

TaskTimersEntry *task_timers_entry(struct task_ctx *ctx)
{
	TaskCoreEntry *tc = ctx->core->tc;

	if (!tc->timers)
		tc->timers = model_new(ctx->model, TaskTimersEntry, task_timers_entry__init);
	return tc->timers;
}

struct itimers_priv {
	int ops[N_ITIMERS];
	struct remote_addr values[N_ITIMERS];
};

static ItimerEntry **itimer_of(TaskTimersEntry *timers, int which)
{
	ItimerEntry **const entries[N_ITIMERS] = {
		[ITIMER_REAL] = &timers->real,
		[ITIMER_VIRTUAL] = &timers->virt,
		[ITIMER_PROF] = &timers->prof,
	};

	return entries[which];
}

static int itimers_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct itimers_priv *priv;

	if (!ctx->leader)
		return 0;
	priv = arena_new_of(ctx->model->arena, struct itimers_priv);
	for (int which = 0; which < N_ITIMERS; which++) {
		priv->values[which] = batch_data(batch, NULL, sizeof(struct kernel_itimerval));
		priv->ops[which] = batch_add(batch, __NR_getitimer, which, priv->values[which].v);
	}
	*ret_priv = priv;
	return 0;
}

static int itimers_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct itimers_priv *priv = priv_arg;

	for (int which = 0; ctx->leader && which < N_ITIMERS; which++) {
		const struct kernel_itimerval *value = batch_local(batch, priv->values[which]);
		ItimerEntry *entry = model_new(ctx->model, ItimerEntry, itimer_entry__init);
		long err = batch_ret(batch, priv->ops[which]);

		if (err)
			return fail((int)-err, "Cannot read interval timer %d", which);
		entry->isec = (uint64_t)value->interval_sec;
		entry->iusec = (uint64_t)value->interval_usec;
		entry->vsec = (uint64_t)value->value_sec;
		entry->vusec = (uint64_t)value->value_usec;
		*itimer_of(task_timers_entry(ctx), which) = entry;
	}
	return 0;
}

static int itimers_validate(const struct task_ctx *ctx)
{
	TaskTimersEntry *timers = ctx->leader ? ctx->core->tc->timers : NULL;

	for (int which = 0; timers && which < N_ITIMERS; which++) {
		const ItimerEntry *entry = *itimer_of(timers, which);

		if (entry->iusec >= USEC_PER_SEC || entry->vusec >= USEC_PER_SEC || entry->isec > INT64_MAX ||
		    entry->vsec > INT64_MAX)
			return fail(EINVAL, "Interval timer %d has an impossible time", which);
	}
	return 0;
}

static int itimers_settle(struct task_ctx *ctx, struct batch *batch)
{
	TaskTimersEntry *timers = ctx->leader ? ctx->core->tc->timers : NULL;
	int err;

	if (!timers)
		return 0;
	err = batch_room(batch, N_ITIMERS, N_ITIMERS * sizeof(struct kernel_itimerval));
	if (err)
		return err;
	for (int which = 0; which < N_ITIMERS; which++) {
		const ItimerEntry *entry = *itimer_of(timers, which);
		struct kernel_itimerval value = { (int64_t)entry->isec, (int64_t)entry->iusec, (int64_t)entry->vsec,
						  (int64_t)entry->vusec };

		/* Expired, and waiting for its signal to be taken before it runs again. */
		if (!value.value_sec && !value.value_usec) {
			value.value_sec = value.interval_sec;
			value.value_usec = value.interval_usec;
		}
		if (value.value_sec || value.value_usec)
			batch_must(batch, "start an interval timer", __NR_setitimer, which,
				   batch_data(batch, &value, sizeof(value)).v);
	}
	return 0;
}

const struct task_attr task_itimers = {
	.name = "interval timers",
	.queue = itimers_queue,
	.dump = itimers_dump,
	.validate = itimers_validate,
	.settle = itimers_settle,
};
