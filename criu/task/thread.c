/*
 * What a thread has registered with the kernel by address: where its id is
 * cleared when it exits, its list of robust futexes, its area of restartable
 * sequences.
 *
 * The list is seen from outside, the area by ptrace, the address only by the
 * thread itself. All are set by the thread itself and late: the kernel writes
 * through them when a thread is scheduled or killed, so the memory must be
 * final, and a restore that fails must not tell other holders of a shared
 * futex that its owner died.
 *
 * A dumped thread never stands inside a restartable sequence (seizing aborts
 * it). Images of mainline may: the abort is then made up here.
 */
#include "task/attrs.h"

#include <string.h>
#include <linux/rseq.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "arch.h"
#include "kernel/syscalls.h"
#include "util/log.h"

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

#define ROBUST_LIST_HEAD_BYTES 24

struct thread_priv {
	int op;
	struct remote_addr tid_addr;
};

static int thread_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct thread_priv *priv = arena_new_of(ctx->model->arena, struct thread_priv);

	priv->tid_addr = batch_data(batch, NULL, sizeof(uint64_t));
	priv->op = batch_add(batch, __NR_prctl, PR_GET_TID_ADDRESS, priv->tid_addr.v);
	*ret_priv = priv;
	return 0;
}

static void dump_rseq(struct task_ctx *ctx)
{
	const struct remote_rseq *rseq = &ctx->thread->rseq;
	RseqEntry *entry;

	if (!rseq->abi_addr)
		return;
	entry = model_new(ctx->model, RseqEntry, rseq_entry__init);
	entry->rseq_abi_pointer = rseq->abi_addr;
	entry->rseq_abi_size = rseq->abi_bytes;
	entry->signature = rseq->signature;
	ctx->core->thread_core->rseq_entry = entry;
}

static int thread_dump(struct task_ctx *ctx, struct batch *batch, void *priv_arg)
{
	const struct thread_priv *priv = priv_arg;
	uint64_t head, bytes;
	long err;

	err = batch_ret(batch, priv->op);
	if (err)
		return fail((int)-err, "Cannot read the address at which the thread id is cleared");
	memcpy(&ctx->core->thread_info->clear_tid_addr, batch_local(batch, priv->tid_addr), sizeof(uint64_t));

	err = sys_get_robust_list(ctx->thread->tid, &head, &bytes);
	if (err)
		return fail((int)-err, "Cannot read the robust futex list");
	ctx->core->thread_core->futex_rla = head;
	ctx->core->thread_core->futex_rla_len = (uint32_t)bytes;
	dump_rseq(ctx);
	return 0;
}

static int thread_validate(const struct task_ctx *ctx)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;

	if (thread_core->futex_rla && thread_core->futex_rla_len != ROBUST_LIST_HEAD_BYTES)
		return fail(EINVAL, "The head of the robust futex list has %u bytes", thread_core->futex_rla_len);
	return 0;
}

/* As the kernel would have done: from inside the sequence, go on at its abort handler. */
static int abort_rseq(struct task_ctx *ctx, uint64_t descriptor)
{
	uint64_t *ip = &ctx->core->thread_info->gpregs->ip;
	struct rseq_cs cs;
	int err = remote_read(ctx->thread->process, (struct remote_addr){ descriptor }, &cs, sizeof(cs));

	if (err)
		return err;
	if (*ip - cs.start_ip >= cs.post_commit_offset)
		return 0;
	if (cs.abort_ip >= ARCH_TASK_SIZE)
		return fail(EINVAL, "Bad abort address %#llx of a restartable sequence",
			    (unsigned long long)cs.abort_ip);
	*ip = cs.abort_ip;
	return 0;
}

static int settle_rseq(struct task_ctx *ctx, struct batch *batch)
{
	const RseqEntry *rseq = ctx->core->thread_core->rseq_entry;

	if (!rseq || !rseq->rseq_abi_pointer)
		return 0;
	batch_must(batch, "register the area of restartable sequences", __NR_rseq, rseq->rseq_abi_pointer,
		   rseq->rseq_abi_size, 0, rseq->signature);
	return rseq->rseq_cs_pointer ? abort_rseq(ctx, rseq->rseq_cs_pointer) : 0;
}

static int thread_settle(struct task_ctx *ctx, struct batch *batch)
{
	const ThreadCoreEntry *thread_core = ctx->core->thread_core;
	int err = batch_room(batch, 3, 0);

	if (err)
		return err;
	batch_must(batch, "set the address at which the thread id is cleared", __NR_set_tid_address,
		   ctx->core->thread_info->clear_tid_addr);
	if (thread_core->futex_rla)
		batch_must(batch, "set the robust futex list", __NR_set_robust_list, thread_core->futex_rla,
			   thread_core->futex_rla_len);
	return settle_rseq(ctx, batch);
}

const struct task_attr task_thread = {
	.name = "thread areas",
	.queue = thread_queue,
	.dump = thread_dump,
	.validate = thread_validate,
	.settle = thread_settle,
};
