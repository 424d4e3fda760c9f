/* Registers: what is dumped comes back, and what no processor could load is refused. */
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "arch.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/test.h"

#define XSTATE_BV_OFFSET 512

static void *alloc(void *arg, size_t bytes)
{
	return arena_alloc(arg, bytes);
}

/* All that this processor can hold of x87, SSE, AVX and AVX-512, with a pattern in every byte. */
static void fill(struct user_regs_struct *regs, struct arch_xstate *xstate)
{
	static const unsigned int optional[] = { 2, 5, 6, 7 };
	struct user_fpregs_struct *legacy = (void *)xstate->data;
	unsigned int bytes, offset, c, d, total;
	uint64_t xcr0, bv = 3;

	__cpuid_count(0xd, 0, c, total, bytes, d);
	xcr0 = c;
	memset(xstate, 0, sizeof(*xstate));
	xstate->bytes = total;
	for (size_t i = 0; i < 416; i++)
		xstate->data[i] = (uint8_t)(i * 7 + 1);
	legacy->mxcsr = 0x1fa0;
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		if (!(xcr0 & 1UL << optional[i]))
			continue;
		__cpuid_count(0xd, optional[i], bytes, offset, c, d);
		for (size_t j = 0; j < bytes; j++)
			xstate->data[offset + j] = (uint8_t)(i * 13 + j);
		bv |= 1UL << optional[i];
	}
	memcpy(xstate->data + XSTATE_BV_OFFSET, &bv, sizeof(bv));
	memset(regs, 0x5a, sizeof(*regs));
	regs->cs = 0x33;
	regs->ss = 0x2b;
	regs->ds = regs->es = regs->fs = regs->gs = 0;
	regs->rip = 0x401000;
	regs->fs_base = 0x7f1234567000;
	regs->gs_base = 0;
	regs->orig_rax = (uint64_t)-1;
}

static void test_round_trip(CoreEntry *core, struct arena *arena)
{
	static struct arch_xstate in, out;
	struct user_regs_struct regs, back;
	struct user_fpregs_struct *legacy = (void *)in.data;

	fill(&regs, &in);
	CHECK_EQ(arch_core_dump(core, &regs, &in, alloc, arena), 0);
	CHECK(core->thread_info->fpregs->n_st_space == 32);
	CHECK(core->thread_info->fpregs->n_xmm_space == 64);
	CHECK_EQ(arch_core_restore(core, &back, &out), 0);
	CHECK(memcmp(&regs, &back, sizeof(regs)) == 0);
	CHECK(in.bytes == out.bytes);
	legacy->mxcr_mask = ((struct user_fpregs_struct *)out.data)->mxcr_mask;
	CHECK(memcmp(in.data, out.data, in.bytes) == 0);
}

/* A component in its initial state stays so, but a lone mxcsr has to be loaded with something. */
static void test_init_state(CoreEntry *core)
{
	static struct arch_xstate out;
	struct user_regs_struct regs;
	UserX86FpregsEntry *fp = core->thread_info->fpregs;
	uint64_t bv, saved = fp->xsave->xstate_bv;

	fp->xsave->xstate_bv = 0;
	CHECK_EQ(arch_core_restore(core, &regs, &out), 0);
	memcpy(&bv, out.data + XSTATE_BV_OFFSET, sizeof(bv));
	CHECK_EQ(bv, 2);
	fp->mxcsr = 0x1f80;
	CHECK_EQ(arch_core_restore(core, &regs, &out), 0);
	memcpy(&bv, out.data + XSTATE_BV_OFFSET, sizeof(bv));
	CHECK_EQ(bv, 0);
	fp->xsave->xstate_bv = saved;
}

static void refuses(const CoreEntry *core, int err)
{
	static struct arch_xstate out;
	struct user_regs_struct regs;

	CHECK_EQ(arch_core_restore(core, &regs, &out), err);
}

#define REFUSES(core, field, value, err)                                                                               \
	do {                                                                                                           \
		__typeof__(field) old_ = (field);                                                                      \
		(field) = (value);                                                                                     \
		refuses(core, err);                                                                                    \
		(field) = old_;                                                                                        \
	} while (0)

static void test_refusals(CoreEntry *core)
{
	UserX86RegsEntry *gp = core->thread_info->gpregs;
	UserX86FpregsEntry *fp = core->thread_info->fpregs;

	REFUSES(core, gp->ip, 0xffffffff81000000, -EINVAL);
	REFUSES(core, gp->ip, 0x8000000000000000, -EINVAL);
	REFUSES(core, gp->fs_base, 0xffff888000000000, -EINVAL);
	REFUSES(core, gp->gs_base, 1UL << 47, -EINVAL);
	REFUSES(core, gp->cs, 0x10, -EINVAL);
	REFUSES(core, gp->ss, 0x18, -EINVAL);
	REFUSES(core, gp->ds, 0x0f, -EINVAL);
	REFUSES(core, gp->fs, 0x63, -EINVAL);
	REFUSES(core, gp->mode, USER_X86_REGS_MODE__COMPAT, -ENOTSUP);
	REFUSES(core, fp->n_st_space, 31, -EINVAL);
	REFUSES(core, fp->n_xmm_space, 0, -EINVAL);
	REFUSES(core, fp->mxcsr, 0xffff0000, -EINVAL);
	REFUSES(core, fp->xsave->xstate_bv, 1UL << 18, -ENOTSUP);
	REFUSES(core, fp->xsave->xstate_bv, 1UL << 63, -ENOTSUP);
	if (fp->xsave->n_ymmh_space) {
		REFUSES(core, fp->xsave->n_ymmh_space, 63, -EINVAL);
		REFUSES(core, fp->xsave->n_ymmh_space, 0, -EINVAL);
	}
	REFUSES(core, core->mtype, CORE_ENTRY__MARCH__ARM, -EINVAL);
	REFUSES(core, core->thread_info, NULL, -EINVAL);
}

int main(void)
{
	cleanup_with(arena_freep) struct arena *arena = arena_new();
	CoreEntry core = CORE_ENTRY__INIT;

	test_round_trip(&core, arena);
	test_refusals(&core);
	test_init_state(&core);
	return test_end();
}
