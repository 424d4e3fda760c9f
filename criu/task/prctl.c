/*
 * What prctl(2) and membarrier(2) set, and what goes into a core file.
 *
 * Of the process: whether it is dumpable, a reaper of orphans, without
 * transparent huge pages, with all its memory open to merging (KSM); its core
 * dump filter, seen and set from outside; which kinds of expedited memory
 * barriers it has registered for. Of a thread: the signal at its parent's
 * death, the slack of its timers (see sched.c), and what is in policy.c. Only
 * the task itself can see and set them.
 *
 * Order: huge pages before memory is filled, and barriers while there is one
 * thread, when registering costs nothing. The reaper flag once the tree is
 * complete, else orphans would gather at the wrong place. Dumpable and death
 * signal after credentials, whose change resets both; dumpable in the
 * leader, after its threads.
 *
 * Kernels before 6.3 can't be asked for the registrations for barriers. But a private barrier is refused to who has
 * not registered for it, and does no harm to who has. For the global kind there is no such sign: it is registered
 * again in any case, for it costs little, and a barrier that is relied on and does nothing breaks a program.
 *
 * A process that forbids itself executable memory (PR_SET_MDWE) can't be driven
 * at all: remote_open() refuses it.
 */
#include "task/attrs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "util/log.h"

#ifndef PR_GET_THP_DISABLE
#define PR_SET_THP_DISABLE 41
#define PR_GET_THP_DISABLE 42
#endif
#define THP_DISABLED_ENTIRELY 1U /* the bit that says that there are no flags besides */

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

#define MEMBARRIER_GET_REGISTRATIONS (1 << 9)
/* The registering commands of membarrier(2), which are single bits: what the call above returns. */
#define MEMBARRIER_REGISTER_ALL	   (1U << 2 | 1U << 4 | 1U << 6 | 1U << 8)
#define MEMBARRIER_REGISTER_GLOBAL (1U << 2)

/* The commands that those after the first allow: each is the bit before. */
static const uint32_t private_barriers[] = { 1U << 3, 1U << 5, 1U << 7 };

#define DUMPABLE_USER 1 /* SUID_DUMP_USER; the other value prctl takes is 0 */

#define COREDUMP_FILTER_DEFAULT 0x33U /* core(5), unless the kernel's command line says otherwise */

/* --- of the address space ------------------------------------------------------- */

static int read_coredump_filter(pid_t pid, uint32_t *ret)
{
	auto_free char *text = NULL;
	char *end;
	int err = proc_read_file(pid, "coredump_filter", &text, NULL);

	if (err)
		return err;
	*ret = (uint32_t)strtoul(text, &end, 16);
	if (end == text)
		return fail(EINVAL, "malformed /proc/%d/coredump_filter: %s", pid, text);
	return 0;
}

static int dump_coredump_filter(struct task_ctx *ctx)
{
	uint32_t filter;
	int err = read_coredump_filter(ctx->thread->process->pid, &filter);

	if (err || filter == COREDUMP_FILTER_DEFAULT)
		return err;
	task_extra_entry(ctx->model, ctx->core->tc)->has_coredump_filter = true;
	ctx->core->tc->extra->coredump_filter = filter;
	return 0;
}

/* A forked puppet has its parent's. */
static int restore_coredump_filter(const struct task_ctx *ctx)
{
	const TaskExtraEntry *extra = ctx->core->tc->extra;
	uint32_t now, wanted = extra && extra->has_coredump_filter ? extra->coredump_filter : COREDUMP_FILTER_DEFAULT;
	pid_t pid = ctx->thread->process->pid;
	auto_fd int fd = -1;
	int err = read_coredump_filter(pid, &now);

	if (err || now == wanted)
		return err;
	fd = proc_open(pid, "coredump_filter", O_WRONLY);
	if (fd < 0)
		return fail(-fd, "Cannot open the core dump filter");
	return dprintf(fd, "%#x", wanted) < 0 ? fail_errno("Cannot set the core dump filter to %#x", wanted) : 0;
}

struct mm_flags_priv {
	int thp_op, merge_op, membarrier_op, brk_op;
	int barrier_ops[ARRAY_SIZE(private_barriers)];
};

static int mm_flags_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct mm_flags_priv *priv;

	if (!ctx->leader)
		return 0;
	priv = arena_new_of(ctx->model->arena, struct mm_flags_priv);
	priv->thp_op = batch_add(batch, __NR_prctl, PR_GET_THP_DISABLE);
	priv->merge_op = batch_add(batch, __NR_prctl, PR_GET_MEMORY_MERGE);
	/* The end of the heap to the byte: brk(0) answers it and changes nothing. */
	priv->brk_op = batch_add(batch, __NR_brk, 0);
	if (ctx->features->membarrier_get)
		priv->membarrier_op = batch_add(batch, __NR_membarrier, MEMBARRIER_GET_REGISTRATIONS);
	for (size_t i = 0; !ctx->features->membarrier_get && i < ARRAY_SIZE(private_barriers); i++)
		priv->barrier_ops[i] = batch_add(batch, __NR_membarrier, private_barriers[i]);
	*ret_priv = priv;
	return 0;
}

static long guess_registrations(const struct batch *batch, const struct mm_flags_priv *priv)
{
	long mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(private_barriers); i++)
		if (batch_ret(batch, priv->barrier_ops[i]) == 0)
			mask |= (long)private_barriers[i] << 1;
	/* A kernel without the call at all knows no registrations either. */
	return batch_ret(batch, priv->barrier_ops[0]) == -ENOSYS ? 0 : mask | MEMBARRIER_REGISTER_GLOBAL;
}

static int mm_flags_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct mm_flags_priv *priv = priv_arg;
	TaskCoreEntry *tc = ctx->core->tc;
	MmEntry *mm = ctx->image->mm;
	long value;
	int err;

	if (!ctx->leader)
		return 0;
	value = batch_ret(batch, priv->thp_op);
	if (mm)
		mm->mm_brk = batch_ret(batch, priv->brk_op);
	if (mm && batch_ret(batch, priv->merge_op) > 0) {
		mm->has_memory_merge = true;
		mm->memory_merge = true;
	}
	if (value > 0 && mm) {
		mm->has_thp_disabled = true;
		mm->thp_disabled = true;
		mm->has_thp_disable_flags = value != THP_DISABLED_ENTIRELY;
		mm->thp_disable_flags = (uint32_t)value & ~THP_DISABLED_ENTIRELY;
	}
	err = dump_coredump_filter(ctx);
	if (err)
		return err;
	value = ctx->features->membarrier_get ? batch_ret(batch, priv->membarrier_op)
					      : guess_registrations(batch, priv);
	if (value < 0)
		return fail((int)-value, "Cannot read the registrations for memory barriers");
	if (value & ~(long)MEMBARRIER_REGISTER_ALL)
		return fail(ENOTSUP, "Unknown registrations for memory barriers: %#lx", value);
	tc->has_membarrier_registration_mask = value != 0;
	tc->membarrier_registration_mask = (uint32_t)value;
	return 0;
}

static int mm_flags_validate(const struct task_ctx *ctx)
{
	if (ctx->leader && ctx->core->tc->membarrier_registration_mask & ~MEMBARRIER_REGISTER_ALL)
		return fail(ENOTSUP, "Unknown registrations for memory barriers: %#x",
			    ctx->core->tc->membarrier_registration_mask);
	return 0;
}

static int mm_flags_restore(struct task_ctx *ctx, struct batch *batch)
{
	const MmEntry *mm = ctx->image->mm;
	uint32_t mask;
	int err;

	if (!ctx->leader)
		return 0;
	err = restore_coredump_filter(ctx);
	if (!err)
		err = batch_room(batch, 2 + 32, 0);
	if (err)
		return err;
	if (mm)
		batch_must(batch, "allow or forbid huge pages", __NR_prctl, PR_SET_THP_DISABLE, mm->thp_disabled,
			   mm->thp_disabled ? mm->thp_disable_flags : 0);
	if (mm && mm->memory_merge != (prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0) > 0))
		batch_must(batch, "allow or forbid the merging of memory", __NR_prctl, PR_SET_MEMORY_MERGE,
			   mm->memory_merge);
	mask = ctx->core->tc->membarrier_registration_mask;
	for (uint32_t command = 1; mask; mask &= ~command, command <<= 1)
		if (mask & command)
			batch_must(batch, "register for memory barriers", __NR_membarrier, command);
	return 0;
}

const struct task_attr task_mm_flags = {
	.name = "heap end, huge pages and memory barriers",
	.queue = mm_flags_queue,
	.dump = mm_flags_dump,
	.validate = mm_flags_validate,
	.restore = mm_flags_restore,
};

/* --- what has to wait for credentials and relatives ------------------------------- */

struct after_creds_priv {
	int pdeath_op, subreaper_op, dumpable_op;
	struct remote_addr pdeath, subreaper;
};

static int after_creds_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct after_creds_priv *priv = arena_new_of(ctx->model->arena, struct after_creds_priv);

	priv->pdeath = batch_data(batch, NULL, sizeof(int));
	priv->pdeath_op = batch_add(batch, __NR_prctl, PR_GET_PDEATHSIG, priv->pdeath.v);
	if (ctx->leader) {
		priv->subreaper = batch_data(batch, NULL, sizeof(int));
		priv->subreaper_op = batch_add(batch, __NR_prctl, PR_GET_CHILD_SUBREAPER, priv->subreaper.v);
		priv->dumpable_op = batch_add(batch, __NR_prctl, PR_GET_DUMPABLE);
	}
	*ret_priv = priv;
	return 0;
}

static int read_int(const struct batch *batch, int op, const void *local, const char *what, int *ret)
{
	long err = batch_ret(batch, op);

	if (err)
		return fail((int)-err, "Cannot read the %s", what);
	memcpy(ret, local, sizeof(*ret));
	return 0;
}

static int after_creds_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct after_creds_priv *priv = priv_arg;
	CoreEntry *core = ctx->core;
	int err, value = 0;
	long dumpable;

	err = read_int(batch, priv->pdeath_op, batch_local(batch, priv->pdeath), "parent-death signal", &value);
	if (err)
		return err;
	core->thread_core->has_pdeath_sig = value != 0;
	core->thread_core->pdeath_sig = (uint32_t)value;
	if (!ctx->leader)
		return 0;

	err = read_int(batch, priv->subreaper_op, batch_local(batch, priv->subreaper), "child reaper flag", &value);
	if (err)
		return err;
	core->tc->has_child_subreaper = true;
	core->tc->child_subreaper = value != 0;

	dumpable = batch_ret(batch, priv->dumpable_op);
	if (dumpable < 0)
		return fail((int)-dumpable, "Cannot read whether the process is dumpable");
	if (ctx->image->mm) {
		ctx->image->mm->has_dumpable = true;
		ctx->image->mm->dumpable = (int32_t)dumpable;
	}
	return 0;
}

static int after_creds_validate(const struct task_ctx *ctx)
{
	if (ctx->core->thread_core->pdeath_sig >= _NSIG)
		return fail(EINVAL, "Bad parent-death signal %u", ctx->core->thread_core->pdeath_sig);
	return 0;
}

/*
 * SUID_DUMP_ROOT (2) can't be set by hand. Not dumpable at all is the stricter
 * of the two values that can.
 */
static void settle_dumpable(const MmEntry *mm, struct batch *batch)
{
	bool user = mm->dumpable == DUMPABLE_USER;

	if (mm->dumpable != DUMPABLE_USER && mm->dumpable != 0)
		pr_warn("The process was dumpable by root only; it will not be dumpable");
	batch_must(batch, "set whether the process is dumpable", __NR_prctl, PR_SET_DUMPABLE, user);
}

/* With its death signal set, the root of a job would be killed by criu's own exit. */
static bool criu_leaves_it(const struct task_ctx *ctx)
{
	return !ctx->image->pstree->ppid && ctx->options->restore_detached && !ctx->options->restore_sibling;
}

static void settle_pdeath(const struct task_ctx *ctx, struct batch *batch)
{
	uint32_t signo = ctx->core->thread_core->pdeath_sig;

	if (signo && criu_leaves_it(ctx))
		pr_warn("Its parent-death signal %u is not set: criu is the parent and about to exit", signo);
	else if (signo)
		batch_must(batch, "set the parent-death signal", __NR_prctl, PR_SET_PDEATHSIG, signo);
}

static int after_creds_settle(struct task_ctx *ctx, struct batch *batch)
{
	const CoreEntry *core = ctx->core;
	const MmEntry *mm = ctx->image->mm;
	int err = batch_room(batch, 3, 0);

	if (err)
		return err;
	settle_pdeath(ctx, batch);
	if (!ctx->leader)
		return 0;
	if (core->tc->child_subreaper)
		batch_must(batch, "make the process a reaper of orphans", __NR_prctl, PR_SET_CHILD_SUBREAPER, 1);
	if (mm && mm->has_dumpable)
		settle_dumpable(mm, batch);
	return 0;
}

const struct task_attr task_after_creds = {
	.name = "death signal, reaper, dumpable",
	.queue = after_creds_queue,
	.dump = after_creds_dump,
	.validate = after_creds_validate,
	.settle = after_creds_settle,
};
