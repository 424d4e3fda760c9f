/*
 * The NUMA memory policy of a thread, set_mempolicy(2).
 *
 * What the kernel keeps: mode and nodes per thread, for memory that has no
 * policy of its own (mem/numa.c). Only the thread itself can ask for it and set
 * it; a child inherits it.
 *
 * The first thread of a puppet has it twice: before its memory is filled, so
 * that pages come to lie where they did, and with its other attributes.
 */
#include "task/mempolicy.h"

#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>

#include "task/attrs.h"
#include "util/log.h"

/* --- dump ----------------------------------------------------------------------------- */

struct mempolicy_priv {
	int op;
	struct remote_addr mode, nodes;
	size_t words;
};

static int thread_mempolicy_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct mempolicy_priv *priv = arena_new_of(ctx->model->arena, struct mempolicy_priv);

	*ret_priv = priv;
	priv->words = numa_mask_words();
	if (!priv->words)
		return 0;
	priv->mode = batch_data(batch, NULL, sizeof(int));
	priv->nodes = batch_data(batch, NULL, priv->words * sizeof(uint64_t));
	priv->op = batch_add(batch, SYS_get_mempolicy, priv->mode.v, priv->nodes.v, numa_max_node(priv->words), 0, 0);
	return 0;
}

static int thread_mempolicy_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct mempolicy_priv *priv = priv_arg;
	struct numa_policy policy = { 0 };
	long ret = priv->words ? batch_ret(batch, priv->op) : 0;

	if (ret < 0)
		return fail((int)-ret, "Cannot ask for its memory policy");
	if (!priv->words)
		return 0;
	policy.mode = *(const int *)batch_local(batch, priv->mode);
	memcpy(policy.nodes, batch_local(batch, priv->nodes), priv->words * sizeof(uint64_t));
	if (policy.mode != MPOL_DEFAULT)
		thread_extra_entry(ctx->model, ctx->core->thread_core)->mempolicy =
			mempolicy_entry_new(ctx->model->arena, &policy);
	return 0;
}

/* --- restore ----------------------------------------------------------------------------- */

static const MempolicyEntry *entry_of(const CoreEntry *core)
{
	const ThreadExtraEntry *extra = core->thread_core ? core->thread_core->extra : NULL;

	return extra ? extra->mempolicy : NULL;
}

static int thread_mempolicy_validate(const struct task_ctx *ctx)
{
	const MempolicyEntry *entry = entry_of(ctx->core);

	return entry ? mempolicy_check(entry, "thread") : 0;
}

struct mempolicy_args mempolicy_queue_data(const MempolicyEntry *entry, struct batch *batch)
{
	struct numa_policy policy;

	if (!entry)
		return (struct mempolicy_args){ .mode = MPOL_DEFAULT };
	mempolicy_of_entry(entry, &policy);
	return (struct mempolicy_args){
		.mode = policy.mode,
		.nodes = batch_data(batch, policy.nodes, sizeof(policy.nodes)),
		.max_node = numa_max_node(NUMA_NODE_WORDS),
	};
}

int mempolicy_queue(const CoreEntry *core, struct batch *batch)
{
	const MempolicyEntry *entry = entry_of(core);
	struct mempolicy_args args;
	int err = batch_room(batch, 1, MEMPOLICY_DATA_BYTES);

	if (err)
		return err;
	args = mempolicy_queue_data(entry, batch);
	/* A kernel without policies has no other than the default, and no such call. */
	batch_add_args(batch, entry ? "set its memory policy" : NULL, SYS_set_mempolicy,
		       (const uint64_t[6]){ args.mode, args.nodes.v, args.max_node });
	return 0;
}

static int thread_mempolicy_restore(struct task_ctx *ctx, struct batch *batch)
{
	return mempolicy_queue(ctx->core, batch);
}

const struct task_attr task_mempolicy = {
	.name = "memory policy",
	.queue = thread_mempolicy_queue,
	.dump = thread_mempolicy_dump,
	.validate = thread_mempolicy_validate,
	.restore = thread_mempolicy_restore,
};
