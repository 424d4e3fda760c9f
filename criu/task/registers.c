/*
 * Processor state.
 *
 * What the kernel keeps: registers and extended state, seen and set from
 * outside; a local descriptor table per process, seen by the process only,
 * which no image can hold; likewise which state the process has asked for that
 * not everybody is given (AMX): whoever uses that without gets SIGILL.
 * Registers are loaded by restore itself, as the very last thing; here they
 * are dumped and checked.
 */
#include "task/attrs.h"

#include <string.h>
#include <sys/syscall.h>

#include "arch.h"
#include "remote/stop.h"
#include "util/log.h"

static int registers_plan(struct task_ctx *ctx, struct refusals *refusals)
{
	const char *why = NULL;

	if (!ctx->thread->process->watched)
		why = arch_refusal(ctx->thread->tid, &ctx->thread->stop_regs);
	if (why)
		refuse(refusals, "The thread %s", why);
	return 0;
}

#ifndef ARCH_GET_XCOMP_PERM
#define ARCH_GET_XCOMP_PERM 0x1022
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif

/* What the kernel gives nobody who has not asked for it: the tiles of AMX. */
#define XSTATE_TO_ASK_FOR (1ULL << 18)

/* Bytes of the process's local descriptor table, up to one descriptor. */
#define LDT_PROBE_BYTES 8

struct registers_priv {
	int ldt_op, permitted_op;
	struct remote_addr permitted;
};

static int registers_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct registers_priv *priv;

	if (!ctx->leader)
		return 0;
	priv = arena_new_of(ctx->model->arena, struct registers_priv);
	priv->ldt_op =
		batch_add(batch, __NR_modify_ldt, 0, batch_data(batch, NULL, LDT_PROBE_BYTES).v, LDT_PROBE_BYTES);
	priv->permitted = batch_data(batch, NULL, sizeof(uint64_t));
	priv->permitted_op = batch_add(batch, __NR_arch_prctl, ARCH_GET_XCOMP_PERM, priv->permitted.v);
	*ret_priv = priv;
	return 0;
}

/* Kernels before 5.16 don't know the question, nor AMX. */
static void dump_permitted(struct task_ctx *ctx, struct batch *batch, const struct registers_priv *priv)
{
	uint64_t permitted;

	if (batch_ret(batch, priv->permitted_op))
		return;
	memcpy(&permitted, batch_local(batch, priv->permitted), sizeof(permitted));
	permitted &= XSTATE_TO_ASK_FOR;
	if (!permitted)
		return;
	task_extra_entry(ctx->model, ctx->core->tc)->has_xstate_permitted = true;
	ctx->core->tc->extra->xstate_permitted = permitted;
}

static void *alloc(void *arena, size_t bytes)
{
	return arena_alloc(arena, bytes);
}

static int registers_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct registers_priv *priv = priv_arg;
	struct arch_xstate xstate;
	struct user_regs_struct regs;
	int err;

	if (priv && (int)batch_ret(batch, priv->ldt_op) > 0)
		return fail(ENOTSUP, "The process has a local descriptor table (modify_ldt), which cannot be "
				     "saved: start the program without what needs it");
	if (priv)
		dump_permitted(ctx, batch, priv);
	err = arch_read_xstate(ctx->thread->tid, &xstate);
	if (err)
		return err;
	stop_image_regs(ctx->thread, &regs);
	return arch_core_dump(ctx->core, &regs, &xstate, alloc, ctx->model->arena);
}

static int registers_validate(const struct task_ctx *ctx)
{
	struct arch_xstate xstate;
	struct user_regs_struct regs;
	const TaskExtraEntry *extra = ctx->leader ? ctx->core->tc->extra : NULL;

	if (extra && extra->xstate_permitted & ~XSTATE_TO_ASK_FOR)
		return fail(ENOTSUP, "The process was given unknown processor state (features %#llx)",
			    (unsigned long long)extra->xstate_permitted);
	return arch_core_restore(ctx->core, &regs, &xstate);
}

static int registers_restore(struct task_ctx *ctx, struct batch *batch)
{
	const TaskExtraEntry *extra = ctx->leader ? ctx->core->tc->extra : NULL;
	int err = batch_room(batch, 1, 0);

	if (!err && extra && extra->xstate_permitted)
		batch_must(batch, "ask for the tiles of AMX", __NR_arch_prctl, ARCH_REQ_XCOMP_PERM,
			   __builtin_ctzll(extra->xstate_permitted));
	return err;
}

const struct task_attr task_registers = {
	.name = "registers",
	.plan = registers_plan,
	.queue = registers_queue,
	.dump = registers_dump,
	.validate = registers_validate,
	.restore = registers_restore,
};
