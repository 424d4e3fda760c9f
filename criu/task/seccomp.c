/*
 * System call filters.
 *
 * What the kernel keeps: per thread the mode, and a chain of filters that grows
 * at one end and is shared by threads and children. Modes and filters are seen
 * from outside, oldest first, but not which filters are one and the same:
 * chains that are equal from the oldest filter on are written once. If all
 * threads of a process have the same chain, the leader installs it for all, so
 * that it may add to it for all later (TSYNC); else every thread its own copy.
 *
 * Installed late but before credentials change, as that takes privileges. The
 * tracer has filters suspended, so the calls that follow still run.
 *
 * Refused: filters that hand calls to a listener (SECCOMP_RET_USER_NOTIF). Who listens is not seen, nor whether anybody
 * does; restored, nobody would, and the calls would fail. A filter that computes what it returns is not seen through.
 * The mitigations that a filter turns on are in policy.c.
 */
#include "task/attrs.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "util/log.h"

#define FILTER_MAX_BYTES (BPF_MAXINSNS * sizeof(struct sock_filter))
#define NO_FILTER	 UINT32_MAX
/* The kernel counts 4 instructions for each filter and allows 32768 in a chain. */
#define CHAIN_MAX   8192
#define KNOWN_FLAGS (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW)

static int read_status(const struct task_ctx *ctx, struct proc_status *ret)
{
	return proc_read_status(ctx->thread->process->pid, ctx->thread->tid, ret);
}

/* What ptrace(2) would answer a tracer. */
static int may_read_filters(struct task_ctx *ctx, bool *ret)
{
	cleanup_with(proc_status_free) struct proc_status own = { 0 };
	int err;

	if (!ctx->thread->process->watched) {
		*ret = ptrace(PTRACE_SECCOMP_GET_FILTER, ctx->thread->tid, 0, NULL) >= 0;
		return 0;
	}
	err = proc_read_status(getpid(), 0, &own);
	*ret = !err && own.cap_eff & 1ULL << CAP_SYS_ADMIN && !own.seccomp;
	errno = EACCES;
	return err;
}

/* 1 and the filter, whose bytes are put into @buf; 0 when there are no more. @index 0 is the oldest. */
static int read_filter(pid_t tid, uint64_t index, struct sock_filter *buf, SeccompFilter *ret)
{
	struct __ptrace_seccomp_metadata metadata = { .filter_off = index };
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, index, buf);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0)
		return fail_errno("Cannot read seccomp filter %llu", (unsigned long long)index);
	seccomp_filter__init(ret);
	ret->filter.data = (uint8_t *)buf;
	ret->filter.len = (size_t)n * sizeof(*buf);
	if (ptrace(PTRACE_SECCOMP_GET_METADATA, tid, sizeof(metadata), &metadata) > 0 && metadata.flags) {
		ret->has_flags = true;
		ret->flags = (uint32_t)metadata.flags;
	}
	return 1;
}

static void refuse_unreadable(struct refusals *refusals)
{
	if (errno == EACCES)
		refuse(refusals, "The thread has seccomp filters; reading them takes CAP_SYS_ADMIN, "
				 "and that criu itself is not confined: run it as root, without filters of its own");
	else
		refuse(refusals,
		       "The thread has seccomp filters, which cannot be read: %s; start the program without them",
		       strerror(errno));
}

static bool has_listener(const SeccompFilter *filter)
{
	const struct sock_filter *code = (const void *)filter->filter.data;

	for (size_t i = 0; i < filter->filter.len / sizeof(*code); i++)
		if (code[i].code == (BPF_RET | BPF_K) &&
		    (code[i].k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF)
			return true;
	return false;
}

static int check_listeners(pid_t tid, struct refusals *refusals)
{
	auto_free struct sock_filter *buf = xalloc(FILTER_MAX_BYTES);
	SeccompFilter filter;
	int found;

	for (uint64_t index = 0; (found = read_filter(tid, index, buf, &filter)) > 0; index++)
		if (has_listener(&filter))
			refuse(refusals,
			       "Seccomp filter %llu of the thread hands system calls to a supervisor "
			       "(SECCOMP_RET_USER_NOTIF), which would not get them after restore: a filter stays as "
			       "long as "
			       "its thread, so start the program without that supervisor",
			       (unsigned long long)index);
	return found;
}

static int seccomp_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	int err = read_status(ctx, &status);
	bool readable;

	if (err || status.seccomp != SECCOMP_MODE_FILTER)
		return err;
	err = may_read_filters(ctx, &readable);
	if (err)
		return err;
	if (!readable)
		refuse_unreadable(refusals);
	return !readable || ctx->thread->process->watched ? 0 : check_listeners(ctx->thread->tid, refusals);
}

/* --- dump ----------------------------------------------------------------------------- */

static bool same_filter(const SeccompFilter *a, const SeccompFilter *b)
{
	return a->has_prev == b->has_prev && a->prev == b->prev && a->flags == b->flags &&
	       a->filter.len == b->filter.len && !memcmp(a->filter.data, b->filter.data, a->filter.len);
}

/* Index of @filter in the model, where it is added if it is new. Copies what it keeps. */
static uint32_t intern(struct model *model, const SeccompFilter *filter)
{
	SeccompEntry *all = model->seccomp;
	SeccompFilter *copy;
	size_t n;

	if (!all)
		all = model->seccomp = model_new(model, SeccompEntry, seccomp_entry__init);
	n = all->n_seccomp_filters;
	for (size_t i = 0; i < n; i++)
		if (same_filter(all->seccomp_filters[i], filter))
			return (uint32_t)i;
	if (!(n & (n - 1))) {
		SeccompFilter **bigger = arena_array(model->arena, SeccompFilter *, n ? 2 * n : 1);

		if (n)
			memcpy(bigger, all->seccomp_filters, n * sizeof(*bigger));
		all->seccomp_filters = bigger;
	}
	copy = arena_memdup(model->arena, filter, sizeof(*filter));
	copy->filter.data = arena_memdup(model->arena, filter->filter.data, filter->filter.len);
	all->seccomp_filters[all->n_seccomp_filters++] = copy;
	return (uint32_t)n;
}

static int dump_chain(struct task_ctx *ctx)
{
	auto_free struct sock_filter *buf = xalloc(FILTER_MAX_BYTES);
	ThreadCoreEntry *thread_core = ctx->core->thread_core;
	uint32_t newest = NO_FILTER;

	for (uint64_t index = 0;; index++) {
		SeccompFilter filter;
		int found = read_filter(ctx->thread->tid, index, buf, &filter);

		if (found < 0)
			return found;
		if (!found)
			break;
		filter.has_prev = newest != NO_FILTER;
		filter.prev = filter.has_prev ? newest : 0;
		newest = intern(ctx->model, &filter);
	}
	if (newest == NO_FILTER)
		return fail(EIO, "The thread is confined by seccomp but no filter can be read");
	thread_core->has_seccomp_filter = true;
	thread_core->seccomp_filter = newest;
	return 0;
}

static int seccomp_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	ThreadCoreEntry *thread_core = ctx->core->thread_core;
	int err = read_status(ctx, &status);

	if (err)
		return err;
	thread_core->has_seccomp_mode = true;
	switch (status.seccomp) {
	case SECCOMP_MODE_DISABLED:
		thread_core->seccomp_mode = SECCOMP_MODE__disabled;
		return 0;
	case SECCOMP_MODE_STRICT:
		thread_core->seccomp_mode = SECCOMP_MODE__strict;
		return 0;
	case SECCOMP_MODE_FILTER:
		thread_core->seccomp_mode = SECCOMP_MODE__filter;
		return dump_chain(ctx);
	default:
		return fail(ENOTSUP, "Unknown seccomp mode %d", status.seccomp);
	}
}

/* --- restore ----------------------------------------------------------------------------- */

static int validate_filter(const SeccompEntry *all, uint32_t index)
{
	const SeccompFilter *filter = all->seccomp_filters[index];

	if (!filter->filter.len || filter->filter.len % sizeof(struct sock_filter) ||
	    filter->filter.len > FILTER_MAX_BYTES)
		return fail(EINVAL, "Seccomp filter %u has %zu bytes", index, filter->filter.len);
	if (filter->has_prev && filter->prev >= index)
		return fail(EINVAL, "Seccomp filter %u follows on %u, which comes later", index, filter->prev);
	if (filter->flags & ~KNOWN_FLAGS)
		return fail(ENOTSUP, "Seccomp filter %u has unknown flags %#x", index, filter->flags);
	return 0;
}

/* The chain that ends in filter @newest, newest first. Return: its length, or -EINVAL. */
static int collect_chain(const SeccompEntry *all, uint32_t newest, uint32_t *chain)
{
	int n = 0;

	for (uint32_t index = newest;; index = all->seccomp_filters[index]->prev) {
		int err;

		if (!all || index >= all->n_seccomp_filters)
			return fail(EINVAL, "There is no seccomp filter %u", index);
		err = validate_filter(all, index);
		if (err)
			return err;
		if (n == CHAIN_MAX)
			return fail(EINVAL, "The chain of seccomp filter %u is too long", newest);
		chain[n++] = index;
		if (!all->seccomp_filters[index]->has_prev)
			return n;
	}
}

static int seccomp_validate(const struct task_ctx *ctx)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;
	uint32_t chain[CHAIN_MAX];
	int n;

	if (!thread_core->has_seccomp_mode || thread_core->seccomp_mode != SECCOMP_MODE__filter)
		return 0;
	if (!thread_core->has_seccomp_filter)
		return fail(EINVAL, "The image says that the thread has seccomp filters, but not which");
	n = collect_chain(ctx->model->seccomp, thread_core->seccomp_filter, chain);
	return n < 0 ? n : 0;
}

/* Also no_new_privs must be alike, for the kernel hands on the leader's together with the filters. */
static bool all_threads_alike(const struct task_image *image)
{
	const ThreadCoreEntry *leader = image->core[0]->thread_core;

	if (!leader->creds || image->n_core < 2)
		return false;
	for (size_t i = 0; i < image->n_core; i++) {
		const ThreadCoreEntry *thread = image->core[i]->thread_core;

		if (thread->seccomp_mode != SECCOMP_MODE__filter || thread->seccomp_filter != leader->seccomp_filter ||
		    !thread->creds || thread->creds->no_new_privs != leader->creds->no_new_privs)
			return false;
	}
	return true;
}

static int settle_filter(struct batch *batch, const SeccompFilter *filter, uint32_t more_flags)
{
	struct sock_fprog program = { .len = (unsigned short)(filter->filter.len / sizeof(struct sock_filter)) };
	int err = batch_room(batch, 1, filter->filter.len + sizeof(program) + 16);

	if (err)
		return err;
	program.filter = (void *)batch_data(batch, filter->filter.data, filter->filter.len).v;
	batch_must(batch, "install a seccomp filter", __NR_seccomp, SECCOMP_SET_MODE_FILTER, filter->flags | more_flags,
		   batch_data(batch, &program, sizeof(program)).v);
	return 0;
}

static int seccomp_settle(struct task_ctx *ctx, struct batch *batch)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;
	const SeccompEntry *all = ctx->model->seccomp;
	uint32_t chain[CHAIN_MAX];
	int n, err = 0;
	bool for_all;

	if (!thread_core->has_seccomp_mode || thread_core->seccomp_mode == SECCOMP_MODE__disabled)
		return 0;
	if (!ctx->features->suspend_seccomp)
		return fail(ENOTSUP,
			    "The thread was confined by seccomp; restoring that takes PTRACE_O_SUSPEND_SECCOMP "
			    "(CAP_SYS_ADMIN, CONFIG_CHECKPOINT_RESTORE)");
	if (thread_core->seccomp_mode == SECCOMP_MODE__strict) {
		err = batch_room(batch, 1, 0);
		if (!err)
			batch_must(batch, "enter strict seccomp mode", __NR_seccomp, SECCOMP_SET_MODE_STRICT);
		return err;
	}
	for_all = all_threads_alike(ctx->image);
	if (for_all && !ctx->leader)
		return 0;
	n = collect_chain(all, thread_core->seccomp_filter, chain);
	while (!err && n-- > 0)
		err = settle_filter(batch, all->seccomp_filters[chain[n]], for_all ? SECCOMP_FILTER_FLAG_TSYNC : 0);
	return err;
}

const struct task_attr task_seccomp = {
	.name = "seccomp",
	.plan = seccomp_plan,
	.dump = seccomp_dump,
	.validate = seccomp_validate,
	.settle = seccomp_settle,
};
