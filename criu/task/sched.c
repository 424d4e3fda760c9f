/*
 * How a thread is scheduled.
 *
 * What the kernel keeps, per thread: policy with nice value or priority, time
 * slice, utilisation clamps, CPU affinity, I/O priority, timer slack. All but
 * the slack is seen and set from outside. Policy and priorities apart, they
 * have no field in mainline's images; they are written to a message of our own,
 * and only when they differ from the default. The kernel does not say whether a
 * slice was chosen: one that is not as usual was.
 *
 * Set late and only where a puppet differs, so that an ordinary job needs no
 * privilege: a puppet begins with criu's own nice value, affinity and so on.
 *
 * Lost: a slice or clamps that were chosen to be as usual. Refused: deadline scheduling, core-scheduling cookies.
 */
#include "task/attrs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "util/log.h"

#define POLICY_NORMAL	       0
#define POLICY_FIFO	       1
#define POLICY_RR	       2
#define POLICY_BATCH	       3
#define POLICY_DEADLINE	       6
#define POLICY_MAX	       7
#define POLICY_RESET_ON_FORK   0x40000000U /* as sched_getscheduler(2) reports it */
#define PRIO_MAX_RT	       99
#define NICE_LOWEST	       (-20)
#define NICE_HIGHEST	       19
#define TIMER_SLACK_DEFAULT_NS 50000
#define IOPRIO_WHO_PROCESS     1

#define ATTR_RESET_ON_FORK 1ULL
#define ATTR_KEEP_POLICY   (1ULL << 3)
#define ATTR_KEEP_PARAMS   (1ULL << 4)
#define ATTR_UTIL_CLAMPS   (3ULL << 5)

#define UTIL_FULL 1024 /* what the kernel takes for all of a processor */

#define AFFINITY_WORDS 128
#define WORD_BITS      64

struct affinity {
	uint64_t words[AFFINITY_WORDS];
};

static int read_attr(pid_t tid, struct kernel_sched_attr *ret)
{
	int err = sys_sched_getattr(tid, ret);

	return err ? fail(-err, "Cannot read the scheduling policy") : 0;
}

static bool is_realtime(uint32_t policy)
{
	return policy == POLICY_FIFO || policy == POLICY_RR;
}

/* Those that have a time slice of their own, if they have chosen one. */
static bool has_slice(uint32_t policy)
{
	return policy == POLICY_NORMAL || policy == POLICY_BATCH;
}

/* A kernel without clamps shows two zeros. A real-time thread begins with the highest. */
static bool has_clamps(const struct kernel_sched_attr *attr)
{
	return attr->util_max &&
	       (attr->util_max != UTIL_FULL || attr->util_min != (is_realtime(attr->policy) ? UTIL_FULL : 0));
}

/* --- affinity --------------------------------------------------------------------- */

static int read_affinity(pid_t tid, struct affinity *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (syscall(SYS_sched_getaffinity, tid, sizeof(ret->words), ret->words) < 0)
		return fail_errno("Cannot read the CPU affinity");
	return 0;
}

/* The CPUs of the system that run, from a list as "0-3,8". */
static int read_online(struct affinity *ret)
{
	static const char path[] = "/sys/devices/system/cpu/online";
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[4096];
	const char *at = text;
	ssize_t bytes;

	if (fd < 0)
		return fail_errno("Cannot open %s", path);
	bytes = read(fd, text, sizeof(text) - 1);
	if (bytes < 0)
		return fail_errno("Cannot read %s", path);
	text[bytes] = '\0';
	memset(ret, 0, sizeof(*ret));
	while (*at >= '0' && *at <= '9') {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long cpu = first; cpu <= last && cpu < AFFINITY_WORDS * WORD_BITS; cpu++)
			ret->words[cpu / WORD_BITS] |= 1UL << cpu % WORD_BITS;
		at = *end == ',' ? end + 1 : end;
	}
	return 0;
}

static bool affinity_covers(const struct affinity *affinity, const struct affinity *wanted)
{
	for (size_t i = 0; i < AFFINITY_WORDS; i++)
		if (wanted->words[i] & ~affinity->words[i])
			return false;
	return true;
}

static int settle_affinity(pid_t tid, const ThreadExtraEntry *extra)
{
	struct affinity now, online, wanted;
	int err = read_affinity(tid, &now);

	if (!err)
		err = read_online(&online);
	if (err)
		return err;
	wanted = online;
	if (extra && extra->n_cpu_affinity) {
		memset(&wanted, 0, sizeof(wanted));
		memcpy(wanted.words, extra->cpu_affinity, extra->n_cpu_affinity * sizeof(uint64_t));
		for (size_t i = 0; i < AFFINITY_WORDS; i++)
			wanted.words[i] &= online.words[i];
	}
	if (!memcmp(&now, &wanted, sizeof(now)))
		return 0;
	if (syscall(SYS_sched_setaffinity, tid, sizeof(wanted.words), wanted.words) == 0)
		return 0;
	if (errno != EINVAL)
		return fail_errno("Cannot set the CPU affinity");
	pr_warn("None of the CPUs that the thread was bound to can be used here: it is not bound");
	return 0;
}

/* --- dump ----------------------------------------------------------------------------- */

static int sched_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	struct kernel_sched_attr attr;
	int err = read_attr(ctx->thread->tid, &attr);

	if (err)
		return err;
	if (attr.policy == POLICY_DEADLINE || attr.policy > POLICY_MAX)
		refuse(refusals,
		       "Scheduling policy %u (%s) cannot be saved: give it another one before the dump (chrt -p)",
		       attr.policy, attr.policy == POLICY_DEADLINE ? "SCHED_DEADLINE" : "unknown");
#ifdef PR_SCHED_CORE
	uint64_t cookie = 0;

	if (!prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, ctx->thread->tid, PR_SCHED_CORE_SCOPE_THREAD, &cookie) && cookie)
		refuse(refusals, "The thread shares cores by a core-scheduling cookie, which cannot be saved: "
				 "take it away before the dump (PR_SCHED_CORE_SHARE_TO by a task that has none)");
#endif
	return 0;
}

static int sched_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	int *op = arena_new_of(ctx->model->arena, int);

	*op = batch_add(batch, __NR_prctl, PR_GET_TIMERSLACK);
	*ret_priv = op;
	return 0;
}

ThreadExtraEntry *thread_extra_entry(struct model *model, ThreadCoreEntry *thread_core)
{
	if (!thread_core->extra)
		thread_core->extra = model_new(model, ThreadExtraEntry, thread_extra_entry__init);
	return thread_core->extra;
}

static ThreadExtraEntry *need_extra(struct task_ctx *ctx)
{
	return thread_extra_entry(ctx->model, ctx->core->thread_core);
}

static int dump_affinity(struct task_ctx *ctx)
{
	struct affinity now, online;
	ThreadExtraEntry *extra;
	size_t n = AFFINITY_WORDS;
	int err = read_affinity(ctx->thread->tid, &now);

	if (!err)
		err = read_online(&online);
	if (err || affinity_covers(&now, &online))
		return err;
	extra = need_extra(ctx);
	while (n > 1 && !now.words[n - 1])
		n--;
	extra->n_cpu_affinity = n;
	extra->cpu_affinity = arena_memdup(ctx->model->arena, now.words, n * sizeof(uint64_t));
	return 0;
}

static void dump_slice_and_clamps(struct task_ctx *ctx, const struct kernel_sched_attr *attr)
{
	if (has_slice(attr->policy) && ctx->features->sched_slice_ns &&
	    attr->runtime != ctx->features->sched_slice_ns) {
		need_extra(ctx)->has_slice_ns = true;
		need_extra(ctx)->slice_ns = attr->runtime;
	}
	if (has_clamps(attr)) {
		need_extra(ctx)->has_util_min = need_extra(ctx)->has_util_max = true;
		need_extra(ctx)->util_min = attr->util_min;
		need_extra(ctx)->util_max = attr->util_max;
	}
}

static int sched_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	ThreadCoreEntry *thread_core = ctx->core->thread_core;
	pid_t tid = ctx->thread->tid;
	struct kernel_sched_attr attr;
	long slack_ns = batch_ret(batch, *(int *)priv);
	int ioprio = sys_ioprio_get(tid);
	int err = read_attr(tid, &attr);

	if (err)
		return err;
	thread_core->has_sched_policy = true;
	thread_core->sched_policy = attr.policy | (attr.flags & ATTR_RESET_ON_FORK ? POLICY_RESET_ON_FORK : 0);
	thread_core->has_sched_prio = is_realtime(attr.policy);
	thread_core->sched_prio = attr.priority;
	/* The attributes show no nice value under a real-time policy, but it comes back with the normal one. */
	errno = 0;
	thread_core->sched_nice = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno)
		return fail_errno("Cannot read the nice value");
	thread_core->has_sched_nice = true;

	if (ioprio < 0)
		return fail(-ioprio, "Cannot read the I/O priority");
	if (ioprio) {
		need_extra(ctx)->has_ioprio = true;
		need_extra(ctx)->ioprio = (uint32_t)ioprio;
	}
	/* Under a real-time policy there is no slack. */
	if (slack_ns > 0 && slack_ns != TIMER_SLACK_DEFAULT_NS) {
		need_extra(ctx)->has_timer_slack_ns = true;
		need_extra(ctx)->timer_slack_ns = (uint64_t)slack_ns;
	}
	dump_slice_and_clamps(ctx, &attr);
	return dump_affinity(ctx);
}

/* --- restore ----------------------------------------------------------------------------- */

static int sched_validate(const struct task_ctx *ctx)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;
	uint32_t policy = thread_core->sched_policy & ~POLICY_RESET_ON_FORK;

	if (policy == POLICY_DEADLINE || policy > POLICY_MAX)
		return fail(ENOTSUP, "Unknown scheduling policy %u", policy);
	if (is_realtime(policy) ? !thread_core->sched_prio || thread_core->sched_prio > PRIO_MAX_RT
				: thread_core->sched_prio)
		return fail(EINVAL, "Bad priority %u for scheduling policy %u", thread_core->sched_prio, policy);
	if (thread_core->sched_nice < NICE_LOWEST || thread_core->sched_nice > NICE_HIGHEST)
		return fail(EINVAL, "Bad nice value %d", thread_core->sched_nice);
	if (thread_core->extra &&
	    (thread_core->extra->util_max > UTIL_FULL || thread_core->extra->util_min > thread_core->extra->util_max))
		return fail(EINVAL, "Bad utilisation clamps: %u to %u", thread_core->extra->util_min,
			    thread_core->extra->util_max);
	if (thread_core->extra && thread_core->extra->n_cpu_affinity > AFFINITY_WORDS)
		return fail(EINVAL, "The CPU affinity names more than %d CPUs", AFFINITY_WORDS * WORD_BITS);
	return 0;
}

/* A puppet has criu's slice, which may be chosen, too. 0: none of its own. */
static bool slice_is_right(const struct task_ctx *ctx, const struct kernel_sched_attr *now, uint64_t wanted)
{
	uint64_t usual = ctx->features->sched_slice_ns;

	return !has_slice(now->policy) || now->runtime == (wanted ? wanted : usual) || !(wanted || usual);
}

static int settle_policy(const struct task_ctx *ctx, pid_t tid)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;
	struct kernel_sched_attr now, wanted = { 0 };
	int err;

	if (!thread_core->has_sched_policy)
		return 0;
	err = read_attr(tid, &now);
	if (err)
		return err;
	wanted.policy = thread_core->sched_policy & ~POLICY_RESET_ON_FORK;
	wanted.flags = thread_core->sched_policy & POLICY_RESET_ON_FORK ? ATTR_RESET_ON_FORK : 0;
	wanted.priority = thread_core->sched_prio;
	wanted.nice = is_realtime(wanted.policy) ? 0 : thread_core->sched_nice;
	wanted.runtime = has_slice(wanted.policy) && thread_core->extra ? thread_core->extra->slice_ns : 0;
	if (wanted.runtime && !ctx->features->sched_slice_ns) {
		pr_warn("Its time slice of %llu ns cannot be set on this kernel (6.12)",
			(unsigned long long)wanted.runtime);
		wanted.runtime = 0;
	}
	if (now.policy == wanted.policy && now.priority == wanted.priority &&
	    (now.flags & ATTR_RESET_ON_FORK) == wanted.flags && slice_is_right(ctx, &now, wanted.runtime))
		return 0;
	err = sys_sched_setattr(tid, &wanted);
	if (err)
		return fail(-err, "Cannot set scheduling policy %u, priority %u (CAP_SYS_NICE)", wanted.policy,
			    wanted.priority);
	return 0;
}

/* After the policy, which has clamps to begin with. */
static int settle_clamps(pid_t tid, const ThreadExtraEntry *extra)
{
	struct kernel_sched_attr now, wanted = { .flags = ATTR_KEEP_POLICY | ATTR_KEEP_PARAMS | ATTR_UTIL_CLAMPS };
	int err = read_attr(tid, &now);

	if (err)
		return err;
	wanted.flags |= now.flags & ATTR_RESET_ON_FORK;
	wanted.util_min = is_realtime(now.policy) ? UTIL_FULL : 0;
	wanted.util_max = UTIL_FULL;
	if (extra && extra->has_util_min && extra->has_util_max) {
		wanted.util_min = extra->util_min;
		wanted.util_max = extra->util_max;
		if (!now.util_max)
			pr_warn("Its utilisation clamps (%u to %u) cannot be set: this kernel has none",
				wanted.util_min, wanted.util_max);
	}
	if (!now.util_max || (now.util_min == wanted.util_min && now.util_max == wanted.util_max))
		return 0;
	err = sys_sched_setattr(tid, &wanted);
	if (err)
		return fail(-err, "Cannot set utilisation clamps %u to %u", wanted.util_min, wanted.util_max);
	return 0;
}

static int settle_nice(pid_t tid, const ThreadCoreEntry *thread_core)
{
	int now;

	if (!thread_core->has_sched_nice)
		return 0;
	errno = 0;
	now = getpriority(PRIO_PROCESS, (id_t)tid);
	if (errno)
		return fail_errno("Cannot read the nice value");
	if (now != thread_core->sched_nice && setpriority(PRIO_PROCESS, (id_t)tid, thread_core->sched_nice) < 0)
		return fail_errno("Cannot set nice value %d (CAP_SYS_NICE)", thread_core->sched_nice);
	return 0;
}

static int settle_ioprio(pid_t tid, const ThreadExtraEntry *extra)
{
	uint32_t wanted = extra ? extra->ioprio : 0;

	if ((uint32_t)sys_ioprio_get(tid) == wanted)
		return 0;
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, wanted) < 0)
		return fail_errno("Cannot set I/O priority %#x", wanted);
	return 0;
}

static int sched_settle(struct task_ctx *ctx, struct batch *batch)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;
	const ThreadExtraEntry *extra = thread_core->extra;
	uint64_t slack_ns = extra && extra->has_timer_slack_ns ? extra->timer_slack_ns : TIMER_SLACK_DEFAULT_NS;
	pid_t tid = ctx->thread->tid;
	int err = batch_room(batch, 1, 0);

	if (err)
		return err;
	batch_must(batch, "set the timer slack", __NR_prctl, PR_SET_TIMERSLACK, slack_ns);
	err = settle_affinity(tid, extra);
	if (!err)
		err = settle_ioprio(tid, extra);
	if (!err)
		err = settle_policy(ctx, tid);
	if (!err)
		err = settle_clamps(tid, extra);
	return err ? err : settle_nice(tid, thread_core);
}

const struct task_attr task_sched = {
	.name = "scheduling",
	.plan = sched_plan,
	.queue = sched_queue,
	.dump = sched_dump,
	.validate = sched_validate,
	.settle = sched_settle,
};
