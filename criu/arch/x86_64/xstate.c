/*
 * Extended processor state.
 *
 * Ptrace shows and takes it in the standard form of XSAVE: a legacy area of 512
 * bytes, a header, and components at the offsets that CPUID leaf 0xD gives. The
 * offsets differ between processors, so images hold each component apart.
 *
 * Lost: components without a field in the image (AMX tiles); one that is in
 * use is an error.
 */
#include "xstate.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "util/log.h"

#define LEGACY_BYTES	  512
#define XSTATE_BV_OFFSET  512
#define COMPONENTS_OFFSET 576
#define ST_WORDS	  32
#define XMM_WORDS	  64

#define XFEATURE_FP	   (1UL << 0)
#define XFEATURE_SSE	   (1UL << 1)
#define XFEATURE_PKRU	   (1UL << 9)
#define MXCSR_DEFAULT	   0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf     /* of processors whose FXSAVE reports 0 */
#define PKRU_DEFAULT	   0x55555554 /* what the kernel gives every task: only key 0 is open */

#define XFEATURE_MAX 64

/* Where an image keeps a component: count and pointer of a repeated field. */
struct component {
	unsigned int bit;
	const char *name;
	size_t n_offset, ptr_offset;
	size_t elem_bytes, n_elems;
};

#define FIELD(field) offsetof(UserX86XsaveEntry, n_##field), offsetof(UserX86XsaveEntry, field)

static const struct component components[] = {
	{ 2, "AVX registers", FIELD(ymmh_space), sizeof(uint32_t), 64 },
	{ 3, "MPX bounds registers", FIELD(bndreg_state), sizeof(uint64_t), 8 },
	{ 4, "MPX configuration", FIELD(bndcsr_state), sizeof(uint64_t), 8 },
	{ 5, "AVX-512 mask registers", FIELD(opmask_reg), sizeof(uint64_t), 8 },
	{ 6, "upper halves of ZMM0-15", FIELD(zmm_upper), sizeof(uint64_t), 64 },
	{ 7, "ZMM16-31", FIELD(hi16_zmm), sizeof(uint64_t), 128 },
	{ 9, "protection key register", FIELD(pkru), sizeof(uint32_t), 2 },
};

static size_t *component_count(UserX86XsaveEntry *xsave, const struct component *component)
{
	return (size_t *)((char *)xsave + component->n_offset);
}

static void **component_ptr(UserX86XsaveEntry *xsave, const struct component *component)
{
	return (void **)((char *)xsave + component->ptr_offset);
}

static size_t component_bytes(const struct component *component)
{
	return component->elem_bytes * component->n_elems;
}

/* The extended state of this processor, as the system has enabled it. */
struct cpu_xstate {
	uint64_t features;
	size_t bytes;
	size_t offsets[ARRAY_SIZE(components)]; /* 0: lacks it, or has it in another size */
};

static size_t read_offset(const struct cpu_xstate *cpu, const struct component *component)
{
	unsigned int bytes, offset, c, d;

	if (!(cpu->features & 1UL << component->bit))
		return 0;
	__cpuid_count(0xd, component->bit, bytes, offset, c, d);
	if (bytes != component_bytes(component) || offset + bytes > cpu->bytes)
		return 0;
	return offset;
}

static int read_cpu(struct cpu_xstate *ret)
{
	unsigned int a, b, c, d, xcr0_low, xcr0_high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return fail(ENOTSUP, "This processor has no XSAVE");
	__asm__ volatile("xgetbv" : "=a"(xcr0_low), "=d"(xcr0_high) : "c"(0));
	__cpuid_count(0xd, 0, a, b, c, d);
	if (b < COMPONENTS_OFFSET || b > ARCH_XSTATE_MAX_BYTES)
		return fail(ENOTSUP, "The extended state of this processor has %u bytes", b);
	ret->features = (uint64_t)xcr0_high << 32 | xcr0_low;
	ret->bytes = b;
	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		ret->offsets[i] = read_offset(ret, &components[i]);
	return 0;
}

/* A constant of the machine, kept because CPUID traps into a hypervisor: 1,000 threads would pay for it. */
static int cpu_xstate_get(struct cpu_xstate *ret)
{
	static struct cpu_xstate machine;
	int err = machine.bytes ? 0 : read_cpu(&machine);

	*ret = machine;
	return err;
}

static size_t component_offset(const struct cpu_xstate *cpu, const struct component *component)
{
	return cpu->offsets[component - components];
}

static uint32_t cpu_mxcsr_mask(void)
{
	uint8_t area[LEGACY_BYTES] __attribute__((aligned(16))) = { 0 };
	const struct user_fpregs_struct *legacy = (const void *)area;

	__builtin_ia32_fxsave64(area);
	return legacy->mxcr_mask ? legacy->mxcr_mask : MXCSR_MASK_DEFAULT;
}

static uint64_t image_features(void)
{
	uint64_t features = XFEATURE_FP | XFEATURE_SSE;

	for (size_t i = 0; i < ARRAY_SIZE(components); i++)
		features |= 1UL << components[i].bit;
	return features;
}

int arch_read_xstate(pid_t tid, struct arch_xstate *ret)
{
	struct iovec iov = { ret->data, sizeof(ret->data) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &iov) < 0)
		return fail_errno("Cannot read the extended processor state of thread %d", tid);
	ret->bytes = iov.iov_len;
	return 0;
}

/* --- dump ---------------------------------------------------------------------- */

static void *new_copy(const struct allocator *allocator, const void *data, size_t bytes)
{
	return memcpy(allocator->alloc(allocator->arg, bytes), data, bytes);
}

static void dump_legacy(UserX86FpregsEntry *fp, const struct user_fpregs_struct *legacy,
			const struct allocator *allocator)
{
	fp->cwd = legacy->cwd;
	fp->swd = legacy->swd;
	fp->twd = legacy->ftw;
	fp->fop = legacy->fop;
	fp->rip = legacy->rip;
	fp->rdp = legacy->rdp;
	fp->mxcsr = legacy->mxcsr;
	fp->mxcsr_mask = legacy->mxcr_mask;
	fp->n_st_space = ST_WORDS;
	fp->st_space = new_copy(allocator, legacy->st_space, sizeof(legacy->st_space));
	fp->n_xmm_space = XMM_WORDS;
	fp->xmm_space = new_copy(allocator, legacy->xmm_space, sizeof(legacy->xmm_space));
}

/* A component in its initial state is shown as zeros, so all that the processor has are written alike. */
static int dump_xsave(UserX86XsaveEntry *xsave, const struct arch_xstate *xstate, const struct allocator *allocator)
{
	struct cpu_xstate cpu;
	int err = cpu_xstate_get(&cpu);

	if (err)
		return err;
	memcpy(&xsave->xstate_bv, xstate->data + XSTATE_BV_OFFSET, sizeof(xsave->xstate_bv));
	if (xsave->xstate_bv & ~image_features())
		return fail(ENOTSUP, "The thread uses processor state that images cannot hold (features %#llx)",
			    (unsigned long long)(xsave->xstate_bv & ~image_features()));
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		const struct component *component = &components[i];
		size_t offset = component_offset(&cpu, component);

		if (!offset || offset + component_bytes(component) > xstate->bytes)
			continue;
		*component_count(xsave, component) = component->n_elems;
		*component_ptr(xsave, component) =
			new_copy(allocator, xstate->data + offset, component_bytes(component));
	}
	return 0;
}

int xstate_dump(UserX86FpregsEntry *fp, const struct arch_xstate *xstate, const struct allocator *allocator)
{
	UserX86XsaveEntry *xsave = allocator->alloc(allocator->arg, sizeof(*xsave));
	int err;

	if (xstate->bytes < COMPONENTS_OFFSET || xstate->bytes > sizeof(xstate->data))
		return fail(EINVAL, "The extended processor state has %zu bytes", xstate->bytes);
	user_x86_xsave_entry__init(xsave);
	dump_legacy(fp, (const void *)xstate->data, allocator);
	err = dump_xsave(xsave, xstate, allocator);
	if (err)
		return err;
	fp->xsave = xsave;
	return 0;
}

/* --- restore ------------------------------------------------------------------- */

static int restore_legacy(const UserX86FpregsEntry *fp, struct user_fpregs_struct *legacy)
{
	uint32_t mask = cpu_mxcsr_mask();

	if (fp->n_st_space != ST_WORDS || fp->n_xmm_space != XMM_WORDS)
		return fail(EINVAL, "Floating point registers have %zu and %zu words instead of %d and %d",
			    fp->n_st_space, fp->n_xmm_space, ST_WORDS, XMM_WORDS);
	if (fp->mxcsr & ~mask)
		return fail(fp->mxcsr & ~fp->mxcsr_mask ? EINVAL : ENOTSUP,
			    "mxcsr %#x has bits that this processor lacks (it has %#x)", fp->mxcsr, mask);
	legacy->cwd = fp->cwd;
	legacy->swd = fp->swd;
	legacy->ftw = fp->twd;
	legacy->fop = fp->fop;
	legacy->rip = fp->rip;
	legacy->rdp = fp->rdp;
	legacy->mxcsr = fp->mxcsr;
	legacy->mxcr_mask = mask;
	memcpy(legacy->st_space, fp->st_space, sizeof(legacy->st_space));
	memcpy(legacy->xmm_space, fp->xmm_space, sizeof(legacy->xmm_space));
	return 0;
}

/* Every task of a processor with protection keys has some value; only another one than the kernel's means use. */
static bool pkru_unused(const UserX86XsaveEntry *xsave)
{
	return xsave->n_pkru >= 1 && xsave->pkru[0] == PKRU_DEFAULT;
}

static int restore_xsave(UserX86XsaveEntry *xsave, const struct cpu_xstate *cpu, struct arch_xstate *xstate)
{
	uint64_t features = xsave->xstate_bv;

	if (!(cpu->features & XFEATURE_PKRU) && pkru_unused(xsave))
		features &= ~XFEATURE_PKRU;
	if (features & ~(cpu->features & image_features()))
		return fail(ENOTSUP, "The thread uses processor features %#lx that this machine lacks",
			    (unsigned long)(features & ~(cpu->features & image_features())));
	for (size_t i = 0; i < ARRAY_SIZE(components); i++) {
		const struct component *component = &components[i];
		size_t offset;

		if (!(features & 1UL << component->bit))
			continue;
		if (*component_count(xsave, component) != component->n_elems)
			return fail(EINVAL, "%s: %zu words instead of %zu", component->name,
				    *component_count(xsave, component), component->n_elems);
		offset = component_offset(cpu, component);
		if (!offset)
			return fail(ENOTSUP, "%s: this machine keeps them in another form", component->name);
		memcpy(xstate->data + offset, *component_ptr(xsave, component), component_bytes(component));
	}
	memcpy(xstate->data + XSTATE_BV_OFFSET, &features, sizeof(features));
	return 0;
}

int xstate_restore(const UserX86FpregsEntry *fp, struct arch_xstate *ret)
{
	UserX86XsaveEntry legacy_only = USER_X86_XSAVE_ENTRY__INIT;
	struct cpu_xstate cpu;
	uint64_t features;
	int err = cpu_xstate_get(&cpu);

	if (err)
		return err;
	memset(ret->data, 0, sizeof(ret->data));
	ret->bytes = cpu.bytes;
	err = restore_legacy(fp, (void *)ret->data);
	if (err)
		return err;
	legacy_only.xstate_bv = XFEATURE_FP | XFEATURE_SSE;
	if (fp->xsave && fp->xsave->cet)
		return fail(ENOTSUP, "The image is of a task with a shadow stack");
	err = restore_xsave(fp->xsave ? fp->xsave : &legacy_only, &cpu, ret);
	if (err)
		return err;

	/* The kernel loads mxcsr only along with a component that uses it. */
	if (fp->mxcsr != MXCSR_DEFAULT) {
		memcpy(&features, ret->data + XSTATE_BV_OFFSET, sizeof(features));
		features |= XFEATURE_SSE;
		memcpy(ret->data + XSTATE_BV_OFFSET, &features, sizeof(features));
	}
	return 0;
}
