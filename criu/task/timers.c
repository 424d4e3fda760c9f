/*
 * POSIX timers of a process.
 *
 * What the kernel keeps: any number of timers, with ids of the process's own
 * counting. That one exists, its id, clock and notification is seen from
 * outside (/proc/PID/timers); what remains of it only from inside.
 *
 * The remaining time is kept: a timer stands still between dump and restore. An
 * id can be asked for since Linux 6.16; before, timers are made and deleted
 * until the kernel's counter has come there. They are made and set before
 * credentials are dropped (alarm clocks need CAP_WAKE_ALARM), once all threads
 * exist that they may notify.
 *
 * While the signal of a repeating timer is pending the kernel counts further
 * expirations, but only for a signal that it has queued itself. So such a
 * signal is not queued again; the timer is started such that it has just
 * expired, on clocks that allow it in its old rhythm (CLOCK_REALTIME: in a
 * new one).
 *
 * Lost: the overrun count that the program has not asked for yet. Refused:
 * clocks of another process or of one of several threads, and clocks that are
 * devices.
 */
#include "task/attrs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "util/log.h"

#ifndef PR_TIMER_CREATE_RESTORE_IDS
#define PR_TIMER_CREATE_RESTORE_IDS	77
#define PR_TIMER_CREATE_RESTORE_IDS_OFF 0
#define PR_TIMER_CREATE_RESTORE_IDS_ON	1
#endif

#ifndef CLOCK_TAI
#define CLOCK_TAI 11
#endif

/* How the kernel itself writes the CPU-time clocks of the creating process and thread. */
#define CLOCK_OWN_PROCESS (-6)
#define CLOCK_OWN_THREAD  (-2)

#define NSEC_PER_SEC   1000000000UL
#define USEC_PER_SEC   1000000UL
#define TIMERS_AT_ONCE 64
#define SKIP_MAX       (1 << 20)
#define RESEND_MAX_SEC (1UL << 32) /* so that nanoseconds fit into 64 bits */

/* struct sigevent, timespec and itimerspec of the kernel */
struct kernel_sigevent {
	uint64_t value;
	int32_t signo, notify, tid;
	int32_t pad[11];
};

_Static_assert(sizeof(struct kernel_sigevent) == 64, "struct kernel_sigevent is not the kernel's");

struct kernel_itimerspec {
	int64_t interval_sec, interval_nsec, value_sec, value_nsec;
};

/* --- plan ----------------------------------------------------------------------------------- */

static bool clock_is_supported(int clock_id, size_t n_threads)
{
	switch (clock_id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
	case CLOCK_TAI:
	case CLOCK_OWN_PROCESS:
		return true;
	case CLOCK_THREAD_CPUTIME_ID:
	case CLOCK_OWN_THREAD:
		/* Which thread's is not seen from outside. */
		return n_threads == 1;
	default:
		return false;
	}
}

static void timers_free(proc_timers *timers)
{
	VEC_FREE(timers);
}

static int timers_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	const struct remote_process *process = ctx->thread->process;
	cleanup_with(timers_free) proc_timers timers = { 0 };
	int err;

	if (!ctx->leader)
		return 0;
	err = proc_read_timers(process->pid, &timers);
	if (err)
		return err;
	for (size_t i = 0; i < timers.n; i++)
		if (!clock_is_supported(timers.data[i].clock_id, process->n_threads))
			refuse(refusals,
			       "Timer %d runs on clock %d, which cannot be saved: have it deleted (timer_delete(2)) "
			       "before the dump",
			       timers.data[i].id, timers.data[i].clock_id);
	return 0;
}

/* --- dump ------------------------------------------------------------------------------------ */

static PosixTimerEntry *new_entry(struct task_ctx *ctx, const struct proc_timer *timer)
{
	PosixTimerEntry *entry = model_new(ctx->model, PosixTimerEntry, posix_timer_entry__init);

	entry->it_id = (uint32_t)timer->id;
	entry->clock_id = (uint32_t)timer->clock_id;
	entry->si_signo = (uint32_t)timer->signo;
	entry->it_sigev_notify = (uint32_t)timer->notify;
	entry->sival_ptr = timer->sival;
	if (timer->thread_id) {
		entry->it_sigev_notify |= SIGEV_THREAD_ID;
		entry->has_notify_thread_id = true;
		entry->notify_thread_id = task_image_tid(ctx, timer->notify_tid);
	}
	return entry;
}

/* @n: at most TIMERS_AT_ONCE */
static int read_remaining(struct batch *batch, PosixTimerEntry **entries, size_t n)
{
	struct remote_addr specs[TIMERS_AT_ONCE];
	int get_ops[TIMERS_AT_ONCE], overrun_ops[TIMERS_AT_ONCE];
	int err;

	for (size_t i = 0; i < n; i++) {
		specs[i] = batch_data(batch, NULL, sizeof(struct kernel_itimerspec));
		get_ops[i] = batch_add(batch, __NR_timer_gettime, entries[i]->it_id, specs[i].v);
		overrun_ops[i] = batch_add(batch, __NR_timer_getoverrun, entries[i]->it_id);
	}
	err = batch_run(batch);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		const struct kernel_itimerspec *spec = batch_local(batch, specs[i]);
		long ret = batch_ret(batch, get_ops[i]);

		if (ret)
			return fail((int)-ret, "Cannot read timer %u", entries[i]->it_id);
		entries[i]->isec = (uint64_t)spec->interval_sec;
		entries[i]->insec = (uint64_t)spec->interval_nsec;
		entries[i]->vsec = (uint64_t)spec->value_sec;
		entries[i]->vnsec = (uint64_t)spec->value_nsec;
		ret = batch_ret(batch, overrun_ops[i]);
		entries[i]->overrun = ret > 0 ? (uint32_t)ret : 0;
	}
	return 0;
}

static int posix_timers_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	cleanup_with(batch_freep) struct batch *own = NULL;
	cleanup_with(timers_free) proc_timers timers = { 0 };
	TaskTimersEntry *entry;
	int err;

	if (!ctx->leader)
		return 0;
	entry = task_timers_entry(ctx);
	err = proc_read_timers(ctx->thread->process->pid, &timers);
	if (err || !timers.n)
		return err;
	entry->n_posix = timers.n;
	entry->posix = arena_array(ctx->model->arena, PosixTimerEntry *, timers.n);
	for (size_t i = 0; i < timers.n; i++)
		entry->posix[i] = new_entry(ctx, &timers.data[i]);
	/* Of their own, since there may be more of them than one batch holds. */
	err = batch_new(ctx->thread, &own);
	for (size_t i = 0; !err && i < timers.n; i += TIMERS_AT_ONCE)
		err = read_remaining(own, entry->posix + i, min_u64(timers.n - i, TIMERS_AT_ONCE));
	return err;
}

/* --- restore ---------------------------------------------------------------------------------- */

static int posix_timers_validate(const struct task_ctx *ctx)
{
	const TaskTimersEntry *timers = ctx->leader ? ctx->core->tc->timers : NULL;

	for (size_t i = 0; timers && i < timers->n_posix; i++) {
		const PosixTimerEntry *timer = timers->posix[i];

		if (timer->it_id > INT32_MAX)
			return fail(EINVAL, "Bad timer id %u", timer->it_id);
		if (!clock_is_supported((int32_t)timer->clock_id, ctx->image->n_core))
			return fail(ENOTSUP, "Timer %u runs on clock %d, which cannot be restored", timer->it_id,
				    (int32_t)timer->clock_id);
		if (timer->vnsec >= NSEC_PER_SEC || timer->insec >= NSEC_PER_SEC || timer->vsec > INT64_MAX ||
		    timer->isec > INT64_MAX)
			return fail(EINVAL, "Timer %u has an impossible time", timer->it_id);
	}
	return 0;
}

/* The clock to ask for: the kernel's own numbers for "of the caller" name the ordinary CPU-time clocks. */
static int creation_clock(const PosixTimerEntry *timer)
{
	switch ((int32_t)timer->clock_id) {
	case CLOCK_OWN_PROCESS:
		return CLOCK_PROCESS_CPUTIME_ID;
	case CLOCK_OWN_THREAD:
		return CLOCK_THREAD_CPUTIME_ID;
	default:
		return (int32_t)timer->clock_id;
	}
}

/* Queue the call; the id the kernel chooses is found at *@ret_id. @id is what restore mode asks for. */
static void queue_create(struct batch *batch, const PosixTimerEntry *timer, int32_t id, struct remote_addr *ret_id)
{
	struct kernel_sigevent event = {
		.value = timer->sival_ptr,
		.signo = (int32_t)timer->si_signo,
		.notify = (int32_t)timer->it_sigev_notify,
		.tid = timer->notify_thread_id,
	};

	if (timer->has_notify_thread_id)
		event.notify |= SIGEV_THREAD_ID;
	*ret_id = batch_data(batch, &id, sizeof(id));
	batch_must(batch, "create a timer", __NR_timer_create, creation_clock(timer),
		   batch_data(batch, &event, sizeof(event)).v, ret_id->v);
}

static int create_with_ids(struct batch *batch, PosixTimerEntry **timers, size_t n)
{
	struct remote_addr id;
	int err = batch_room(batch, 1, 0);

	if (err)
		return err;
	batch_must(batch, "choose timer ids", __NR_prctl, PR_TIMER_CREATE_RESTORE_IDS, PR_TIMER_CREATE_RESTORE_IDS_ON);
	for (size_t i = 0; i < n; i++) {
		err = batch_room(batch, 1, sizeof(struct kernel_sigevent) + 16);
		if (err)
			return err;
		queue_create(batch, timers[i], (int32_t)timers[i]->it_id, &id);
	}
	err = batch_room(batch, 1, 0);
	if (err)
		return err;
	batch_must(batch, "stop choosing timer ids", __NR_prctl, PR_TIMER_CREATE_RESTORE_IDS,
		   PR_TIMER_CREATE_RESTORE_IDS_OFF);
	return 0;
}

/* Make and delete timers until the next id is @target; @next is the one that comes now. */
static int skip_ids(struct batch *batch, const PosixTimerEntry *like, int32_t next, int32_t target)
{
	while (next < target) {
		struct remote_addr id;
		int err = batch_room(batch, 2, sizeof(struct kernel_sigevent) + 16);

		if (err)
			return err;
		queue_create(batch, like, 0, &id);
		batch_must(batch, "delete a timer", __NR_timer_delete, next++);
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = (*(PosixTimerEntry *const *)a)->it_id, y = (*(PosixTimerEntry *const *)b)->it_id;

	return x < y ? -1 : x > y;
}

/* Every timer that is created takes the next number of the process; @timers are in order of their ids. */
static int create_by_counting(struct batch *batch, PosixTimerEntry **timers, size_t n)
{
	int32_t next = 0;

	for (size_t i = 0; i < n; i++) {
		int32_t wanted = (int32_t)timers[i]->it_id, got;
		struct remote_addr id;
		int err;

		if (wanted - next > SKIP_MAX)
			return fail(ENOTSUP, "Timer id %d is too far to be reached by counting on this kernel", wanted);
		err = skip_ids(batch, timers[i], next, wanted);
		if (!err)
			err = batch_room(batch, 1, sizeof(struct kernel_sigevent) + 16);
		if (err)
			return err;
		queue_create(batch, timers[i], 0, &id);
		err = batch_run(batch);
		if (err)
			return err;
		memcpy(&got, batch_local(batch, id), sizeof(got));
		if (got != wanted)
			return fail(EBUSY, "A timer got id %d instead of %d", got, wanted);
		next = wanted + 1;
	}
	return 0;
}

static int64_t interval_ns(const PosixTimerEntry *timer)
{
	return (int64_t)(timer->isec * NSEC_PER_SEC + timer->insec);
}

static int64_t remaining_ns(const PosixTimerEntry *timer)
{
	return (int64_t)(timer->vsec * NSEC_PER_SEC + timer->vnsec);
}

/* Can it be started such that it has just expired and goes on as before? */
static bool can_resend(const PosixTimerEntry *timer)
{
	switch ((int32_t)timer->clock_id) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return timer->isec < RESEND_MAX_SEC && timer->vsec < RESEND_MAX_SEC && remaining_ns(timer) > 0 &&
		       remaining_ns(timer) <= interval_ns(timer);
	default:
		return false;
	}
}

static bool is_from(const PosixTimerEntry *timer, const SiginfoEntry *signal)
{
	siginfo_t info;

	memcpy(&info, signal->siginfo.data, sizeof(info));
	return info.si_code == SI_TIMER && info.si_timerid == (int)timer->it_id &&
	       info.si_signo == (int)timer->si_signo;
}

bool task_timer_resends(const TaskCoreEntry *tc, const SiginfoEntry *signal)
{
	const TaskTimersEntry *timers = tc->timers;

	for (size_t i = 0; timers && i < timers->n_posix; i++)
		if (is_from(timers->posix[i], signal))
			return can_resend(timers->posix[i]);
	return false;
}

static bool is_queued(const PosixTimerEntry *timer, const SignalQueueEntry *queue)
{
	for (size_t i = 0; queue && i < queue->n_signals; i++)
		if (is_from(timer, queue->signals[i]))
			return true;
	return false;
}

static bool is_pending(const PosixTimerEntry *timer, const struct task_image *image)
{
	bool pending = is_queued(timer, image->core[0]->tc->signals_s);

	for (size_t i = 0; !pending && i < image->n_core; i++)
		pending = is_queued(timer, image->core[i]->thread_core->signals_p);
	return pending;
}

/* Return: flags for timer_settime(2). */
static int just_expired(const PosixTimerEntry *timer, struct kernel_itimerspec *spec)
{
	struct timespec now;
	int64_t ns;

	/* Set to a point in time it would follow the clock when that is set. */
	if (timer->clock_id == CLOCK_REALTIME) {
		spec->value_sec = 0;
		spec->value_nsec = 1;
		return 0;
	}
	clock_gettime((clockid_t)timer->clock_id, &now);
	ns = now.tv_sec * (int64_t)NSEC_PER_SEC + now.tv_nsec + remaining_ns(timer) - interval_ns(timer);
	ns = ns > 0 ? ns : 1;
	spec->value_sec = ns / (int64_t)NSEC_PER_SEC;
	spec->value_nsec = ns % (int64_t)NSEC_PER_SEC;
	return TIMER_ABSTIME;
}

static int start_posix_timer(struct task_ctx *ctx, struct batch *batch, const PosixTimerEntry *timer)
{
	struct kernel_itimerspec spec = {
		.interval_sec = (int64_t)timer->isec,
		.interval_nsec = (int64_t)timer->insec,
		.value_sec = (int64_t)timer->vsec,
		.value_nsec = (int64_t)timer->vnsec,
	};
	int flags = 0, err;

	if (!spec.value_sec && !spec.value_nsec)
		return 0;
	if (can_resend(timer) && is_pending(timer, ctx->image))
		flags = just_expired(timer, &spec);
	err = batch_room(batch, 1, sizeof(spec));
	if (err)
		return err;
	batch_must(batch, "start a timer", __NR_timer_settime, timer->it_id, flags,
		   batch_data(batch, &spec, sizeof(spec)).v);
	return 0;
}

static int posix_timers_settle(struct task_ctx *ctx, struct batch *batch)
{
	const TaskTimersEntry *timers = ctx->leader ? ctx->core->tc->timers : NULL;
	auto_free PosixTimerEntry **sorted = NULL;
	int err;

	if (!timers || !timers->n_posix)
		return 0;
	sorted = xalloc(timers->n_posix * sizeof(*sorted));
	memcpy(sorted, timers->posix, timers->n_posix * sizeof(*sorted));
	qsort(sorted, timers->n_posix, sizeof(*sorted), by_id);
	if (ctx->features->timer_cr_ids)
		err = create_with_ids(batch, sorted, timers->n_posix);
	else
		err = create_by_counting(batch, sorted, timers->n_posix);
	for (size_t i = 0; !err && i < timers->n_posix; i++)
		err = start_posix_timer(ctx, batch, sorted[i]);
	return err;
}

const struct task_attr task_posix_timers = {
	.name = "POSIX timers",
	.plan = timers_plan,
	.dump = posix_timers_dump,
	.validate = posix_timers_validate,
	.settle = posix_timers_settle,
};
