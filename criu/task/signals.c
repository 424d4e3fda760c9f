/*
 * Signal dispositions, masks and alternate stacks.
 *
 * What the kernel keeps: 64 dispositions per process, a mask and an alternate
 * stack per thread. Masks are seen and set from outside (those of thread->sigmask
 * are already free of what a freeze does to them; restore sets them together
 * with the registers). Dispositions and stacks only the process itself can see.
 *
 * Both are set along with the other attributes: no signal can be delivered
 * before the last step of a restore. A stack that is in use can be set because
 * remote calls run with a stack pointer outside of it.
 */
#include "task/attrs.h"

#include <signal.h>
#include <sys/syscall.h>

#include "util/log.h"

#define KERNEL_SIGNALS		64
#define KERNEL_SIGSET_BYTES	8
#define N_SIGACTIONS		(KERNEL_SIGNALS - 2)
#define ALTSTACK_SETTABLE_FLAGS (SS_DISABLE | 1U << 31) /* SS_AUTODISARM */

/* struct sigaction of the kernel, which is not the C library's */
struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static bool is_catchable(int signo)
{
	return signo != SIGKILL && signo != SIGSTOP;
}

/* --- dispositions and masks --------------------------------------------------- */

struct sigactions_priv {
	int first_op;
	struct remote_addr actions[N_SIGACTIONS];
};

static int sigactions_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct sigactions_priv *priv;
	int n = 0;

	if (!ctx->leader)
		return 0;
	priv = arena_new_of(ctx->model->arena, struct sigactions_priv);
	for (int signo = 1; signo <= KERNEL_SIGNALS; signo++) {
		struct remote_addr out;
		int op;

		if (!is_catchable(signo))
			continue;
		out = batch_data(batch, NULL, sizeof(struct kernel_sigaction));
		op = batch_add(batch, __NR_rt_sigaction, signo, 0, out.v, KERNEL_SIGSET_BYTES);
		if (!n)
			priv->first_op = op;
		priv->actions[n++] = out;
	}
	*ret_priv = priv;
	return 0;
}

static int dump_sigactions(struct task_ctx *ctx, struct batch *batch, const struct sigactions_priv *priv)
{
	TaskCoreEntry *tc = ctx->core->tc;

	tc->n_sigactions = N_SIGACTIONS;
	tc->sigactions = arena_array(ctx->model->arena, SaEntry *, N_SIGACTIONS);
	for (int i = 0; i < N_SIGACTIONS; i++) {
		const struct kernel_sigaction *action = batch_local(batch, priv->actions[i]);
		SaEntry *entry = model_new(ctx->model, SaEntry, sa_entry__init);
		long err = batch_ret(batch, priv->first_op + i);

		if (err)
			return fail((int)-err, "Cannot read signal disposition %d of %d", i + 1, N_SIGACTIONS);
		entry->sigaction = action->handler;
		entry->flags = action->flags;
		entry->restorer = action->restorer;
		entry->mask = action->mask;
		tc->sigactions[i] = entry;
	}
	return 0;
}

static int sigactions_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	ThreadCoreEntry *thread_core = ctx->core->thread_core;

	thread_core->has_blk_sigset = true;
	thread_core->blk_sigset = ctx->thread->sigmask;
	if (!ctx->leader)
		return 0;
	ctx->core->tc->blk_sigset = ctx->thread->sigmask;
	return dump_sigactions(ctx, batch, priv);
}

static int sigactions_validate(const struct task_ctx *ctx)
{
	const TaskCoreEntry *tc = ctx->core->tc;

	if (!ctx->leader)
		return 0;
	if (tc->n_sigactions != N_SIGACTIONS)
		return fail(EINVAL, "The image has %zu signal dispositions instead of %d", tc->n_sigactions,
			    N_SIGACTIONS);
	for (size_t i = 0; i < tc->n_sigactions; i++)
		if (tc->sigactions[i]->compat_sigaction)
			return fail(ENOTSUP, "The image has signal handlers of a 32-bit task");
	return 0;
}

static int sigactions_restore(struct task_ctx *ctx, struct batch *batch)
{
	const TaskCoreEntry *tc = ctx->core->tc;
	int err, n = 0;

	if (!ctx->leader)
		return 0;
	err = batch_room(batch, N_SIGACTIONS, N_SIGACTIONS * sizeof(struct kernel_sigaction));
	if (err)
		return err;
	for (int signo = 1; signo <= KERNEL_SIGNALS; signo++) {
		const SaEntry *entry;
		struct kernel_sigaction action;

		if (!is_catchable(signo))
			continue;
		entry = tc->sigactions[n++];
		action = (struct kernel_sigaction){ entry->sigaction, entry->flags, entry->restorer, entry->mask };
		batch_must(batch, "set a signal disposition", __NR_rt_sigaction, signo,
			   batch_data(batch, &action, sizeof(action)).v, 0, KERNEL_SIGSET_BYTES);
	}
	return 0;
}

const struct task_attr task_sigactions = {
	.name = "signal dispositions",
	.queue = sigactions_queue,
	.dump = sigactions_dump,
	.validate = sigactions_validate,
	.restore = sigactions_restore,
};

/* --- alternate stack ------------------------------------------------------------ */

struct altstack_priv {
	int op;
	struct remote_addr stack;
};

static int altstack_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct altstack_priv *priv = arena_new_of(ctx->model->arena, struct altstack_priv);

	priv->stack = batch_data(batch, NULL, sizeof(stack_t));
	priv->op = batch_add(batch, __NR_sigaltstack, 0, priv->stack.v);
	*ret_priv = priv;
	return 0;
}

static int altstack_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct altstack_priv *priv = priv_arg;
	const stack_t *stack = batch_local(batch, priv->stack);
	ThreadSasEntry *sas = model_new(ctx->model, ThreadSasEntry, thread_sas_entry__init);
	long err = batch_ret(batch, priv->op);

	if (err)
		return fail((int)-err, "Cannot read the alternate signal stack");
	sas->ss_sp = (uint64_t)stack->ss_sp;
	sas->ss_size = stack->ss_size;
	sas->ss_flags = (uint32_t)stack->ss_flags;
	ctx->core->thread_core->sas = sas;
	return 0;
}

static int altstack_restore(struct task_ctx *ctx, struct batch *batch)
{
	const ThreadSasEntry *sas = ctx->core->thread_core->sas;
	stack_t stack = { .ss_flags = SS_DISABLE };
	int err;

	/* Set even when there is none: a child has inherited its parent's. */
	if (sas && !(sas->ss_flags & SS_DISABLE)) {
		stack.ss_sp = (void *)sas->ss_sp;
		stack.ss_size = sas->ss_size;
		stack.ss_flags = (int)(sas->ss_flags & ALTSTACK_SETTABLE_FLAGS);
	}
	err = batch_room(batch, 1, sizeof(stack));
	if (err)
		return err;
	batch_must(batch, "set the alternate signal stack", __NR_sigaltstack,
		   batch_data(batch, &stack, sizeof(stack)).v);
	return 0;
}

const struct task_attr task_altstack = {
	.name = "alternate signal stack",
	.queue = altstack_queue,
	.dump = altstack_dump,
	.restore = altstack_restore,
};
