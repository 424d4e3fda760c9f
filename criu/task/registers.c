/*
 * Processor state.
 *
 * What the kernel keeps: registers and extended state, seen and set from
 * outside; a local descriptor table per process, seen by the process only,
 * which no image can hold. Registers are loaded by restore itself, as the very
 * last thing; here they are dumped and checked.
 */
#include "task/attrs.h"

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
		refuse(refusals, "The thread %s, which cannot be saved", why);
	return 0;
}

/* Bytes of the process's local descriptor table, up to one descriptor. */
#define LDT_PROBE_BYTES 8

static int registers_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	int *op;

	if (!ctx->leader)
		return 0;
	op = arena_new_of(ctx->model->arena, int);
	*op = batch_add(batch, __NR_modify_ldt, 0, batch_data(batch, NULL, LDT_PROBE_BYTES).v, LDT_PROBE_BYTES);
	*ret_priv = op;
	return 0;
}

static void *alloc(void *arena, size_t bytes)
{
	return arena_alloc(arena, bytes);
}

static int registers_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	const int *op = priv;
	struct arch_xstate xstate;
	struct user_regs_struct regs;
	int err;

	if (op && (int)batch_ret(batch, *op) > 0)
		return fail(ENOTSUP, "The process has a local descriptor table (modify_ldt), which cannot be saved");
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

	return arch_core_restore(ctx->core, &regs, &xstate);
}

const struct task_attr task_registers = {
	.name = "registers",
	.plan = registers_plan,
	.queue = registers_queue,
	.dump = registers_dump,
	.validate = registers_validate,
};
