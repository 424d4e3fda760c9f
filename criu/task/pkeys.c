/*
 * Memory protection keys: pkeys(7).
 *
 * The kernel keeps which of the keys 1 to 15 a process has allocated, and the key of each mapping; the rights that go
 * with a key are in a register of each thread. Mappings show their keys in smaps. Which keys are allocated
 * only the process can find out, and without changing anything: pkey_mprotect(2) of a place where nothing is mapped
 * complains of the place if the key is allocated, else of the key.
 *
 * Memory that may only be executed has a key, too, which the kernel takes for it and nobody has allocated; so it does on
 * restore.
 *
 * Order: when all children exist, which would inherit keys, and all memory is filled; before memory is sealed. The
 * kernel gives the lowest free key, so all are taken, used, and those given back that were not allocated. That
 * a key was freed while memory still has it is kept that way. Registers come last, as always.
 *
 * Refused: key 1 of the program's own beside memory that may only be executed, for which the kernel would take it.
 */
#include "task/attrs.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "util/log.h"

#define PKEYS 16

struct pkeys_priv {
	bool asked;
	int ops[PKEYS];
};

static int pkeys_queue(struct task_ctx *ctx, struct batch *batch, void **ret_priv)
{
	struct pkeys_priv *priv;
	const MmEntry *mm = ctx->image->mm;

	if (!ctx->leader)
		return 0;
	priv = arena_new_of(ctx->model->arena, struct pkeys_priv);
	*ret_priv = priv;
	/* The flag has nothing of what is there changed; but who maps the first page could have such memory there. */
	priv->asked = mm && mm->n_vmas && mm->vmas[0]->start >= PAGE_BYTES;
	for (uint64_t key = 0; priv->asked && key < PKEYS; key++)
		priv->ops[key] = batch_add(batch, __NR_pkey_mprotect, 0, PAGE_BYTES, PROT_GROWSDOWN, key);
	return 0;
}

/* Key 0 is allocated where there are any keys at all. */
static uint32_t allocated_keys(const struct batch *batch, const struct pkeys_priv *priv)
{
	uint32_t keys = 0;

	for (int key = 0; priv->asked && key < PKEYS; key++)
		if (batch_ret(batch, priv->ops[key]) == -ENOMEM)
			keys |= 1U << key;
	return keys & 1 ? keys : 0;
}

static bool is_for_execution_alone(const VmaEntry *vma)
{
	return vma->prot == PROT_EXEC;
}

static int pkeys_dump(struct task_ctx *ctx, struct batch *batch, void *priv)
{
	MmEntry *mm = ctx->image->mm;
	uint32_t allocated = ctx->leader ? allocated_keys(batch, priv) : 0, used = 0;
	bool execute_only = false;

	for (size_t i = 0; ctx->leader && mm && i < mm->n_vmas; i++) {
		VmaEntry *vma = mm->vmas[i];

		if (!vma->has_pkey)
			continue;
		if (!allocated)
			return fail(ENOTSUP,
				    "mapping %llx has protection key %u, but the process cannot be asked about "
				    "its keys",
				    (unsigned long long)vma->start, vma->pkey);
		if (is_for_execution_alone(vma) && !(allocated & 1U << vma->pkey)) {
			vma->has_pkey = false;
			vma->pkey = 0;
			execute_only = true;
		}
		used |= 1U << vma->pkey;
	}
	if (execute_only && (allocated | used) & 1U << 1)
		return fail(ENOTSUP, "The process has allocated protection key 1 and memory that may only be executed, "
				     "for which the kernel would take that key after restore: have the key freed "
				     "(pkey_free(2)), or that memory made readable, before the dump");
	if (allocated & ~1U) {
		mm->has_pkeys = true;
		mm->pkeys = allocated & ~1U;
	}
	return 0;
}

static uint32_t wanted_keys(const MmEntry *mm)
{
	uint32_t keys = mm->pkeys;

	for (size_t i = 0; i < mm->n_vmas; i++)
		if (mm->vmas[i]->pkey)
			keys |= 1U << mm->vmas[i]->pkey;
	return keys;
}

static int pkeys_validate(const struct task_ctx *ctx)
{
	const MmEntry *mm = ctx->leader ? ctx->image->mm : NULL;

	if (mm && mm->pkeys & ~0xfffeU)
		return fail(EINVAL, "Bad protection keys: %#x", mm->pkeys);
	return 0;
}

/* All that are to be had. */
static int take_keys(struct batch *batch, uint32_t *ret)
{
	int ops[PKEYS - 1], err = batch_room(batch, PKEYS, 0);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = batch_add(batch, __NR_pkey_alloc, 0, 0);
	err = batch_run(batch);
	*ret = 0;
	for (size_t i = 0; !err && i < ARRAY_SIZE(ops); i++)
		if (batch_ret(batch, ops[i]) > 0 && batch_ret(batch, ops[i]) < PKEYS)
			*ret |= 1U << batch_ret(batch, ops[i]);
	return err;
}

static int pkeys_restore(struct task_ctx *ctx, struct batch *batch)
{
	const MmEntry *mm = ctx->leader ? ctx->image->mm : NULL;
	uint32_t wanted = mm ? wanted_keys(mm) : 0, taken;
	int err = wanted ? take_keys(batch, &taken) : 0;

	if (err || !wanted)
		return err;
	if (wanted & ~taken)
		return fail(ENOTSUP, "The process had memory protection keys %#x, of which %#x cannot be had here",
			    wanted, wanted & ~taken);
	for (size_t i = 0; !err && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];

		err = vma->pkey ? batch_room(batch, 1, 0) : 0;
		if (!err && vma->pkey)
			batch_must(batch, "give memory its protection key", __NR_pkey_mprotect, vma->start,
				   vma->end - vma->start, vma->prot, vma->pkey);
	}
	if (!err)
		err = batch_room(batch, PKEYS, 0);
	for (int key = 1; !err && key < PKEYS; key++)
		if (taken & ~mm->pkeys & 1U << key)
			batch_must(batch, "give back a protection key", __NR_pkey_free, key);
	return err;
}

const struct task_attr task_pkeys = {
	.name = "protection keys",
	.queue = pkeys_queue,
	.dump = pkeys_dump,
	.validate = pkeys_validate,
	.restore = pkeys_restore,
};
