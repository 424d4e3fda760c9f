#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "stub.h"
#include "stub-offsets.h"

/*
 * How long a nap lasts if nobody ends it: as long as the thread is late when we are killed
 * meanwhile, and the time we have to come back to it.
 */
#define NAP_NS	   500000000UL
#define NS_PER_SEC 1000000000UL

extern const char stub_begin[], stub_end[], stub_batch_end[];
extern const char stub_call[], stub_call_ret[], stub_call_done[], stub_call_end[];
extern const char stub_syscall[], stub_heal[], stub_heal_regs[], stub_image[];
extern const char stub_batch[], stub_batch_op[], stub_batch_done[], stub_batch_stop[], stub_header[];

_Static_assert(8 * STUB_IMAGE_WORDS < ARCH_STUB_BYTES_MAX, "the image fits the stub");

uint64_t arch_stub_offset(enum arch_stub_entry entry)
{
	const char *const at[] = {
		[ARCH_STUB_CALL] = stub_call,
		[ARCH_STUB_CALL_RET] = stub_call_ret,
		[ARCH_STUB_CALL_DONE] = stub_call_done,
		[ARCH_STUB_CALL_END] = stub_call_end,
		[ARCH_STUB_CALL_GO] = stub_image + 8 * STUB_CALL_GO,
		[ARCH_STUB_SYSCALL] = stub_syscall,
		[ARCH_STUB_HEAL] = stub_heal,
		[ARCH_STUB_HEAL_REGS] = stub_heal_regs,
		[ARCH_STUB_BATCH] = stub_batch,
		[ARCH_STUB_BATCH_OP] = stub_batch_op,
		[ARCH_STUB_BATCH_DONE] = stub_batch_done,
		[ARCH_STUB_BATCH_STOP] = stub_batch_stop,
		[ARCH_STUB_BATCH_GO] = stub_header + 8 * STUB_GO,
	};

	return at[entry] - stub_begin;
}

size_t arch_stub_bytes(bool with_batch)
{
	return (with_batch ? stub_batch_end : stub_end) - stub_begin;
}

/* Which member of the kernel's register set each word of the image is. */
static const struct {
	int word;
	size_t member;
} image_words[] = {
	{ STUB_R15, offsetof(struct user_regs_struct, r15) }, { STUB_R14, offsetof(struct user_regs_struct, r14) },
	{ STUB_R13, offsetof(struct user_regs_struct, r13) }, { STUB_R12, offsetof(struct user_regs_struct, r12) },
	{ STUB_RBP, offsetof(struct user_regs_struct, rbp) }, { STUB_RBX, offsetof(struct user_regs_struct, rbx) },
	{ STUB_R11, offsetof(struct user_regs_struct, r11) }, { STUB_R10, offsetof(struct user_regs_struct, r10) },
	{ STUB_R9, offsetof(struct user_regs_struct, r9) },   { STUB_R8, offsetof(struct user_regs_struct, r8) },
	{ STUB_RAX, offsetof(struct user_regs_struct, rax) }, { STUB_RCX, offsetof(struct user_regs_struct, rcx) },
	{ STUB_RDX, offsetof(struct user_regs_struct, rdx) }, { STUB_RSI, offsetof(struct user_regs_struct, rsi) },
	{ STUB_RDI, offsetof(struct user_regs_struct, rdi) }, { STUB_RIP, offsetof(struct user_regs_struct, rip) },
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SEC + now.tv_nsec;
}

void arch_stub_build(void *buf, const struct user_regs_struct *resume, uint64_t sigmask, bool with_batch)
{
	uint64_t image[STUB_IMAGE_WORDS] = {
		[STUB_MASK] = sigmask,
		[STUB_CALL_GO] = 1,
		[STUB_NAP_NS] = NAP_NS,
		[STUB_BORN] = now_ns(),
	};

	for (size_t i = 0; i < ARRAY_SIZE(image_words); i++)
		memcpy(&image[image_words[i].word], (const char *)resume + image_words[i].member, 8);
	memcpy(buf, stub_begin, arch_stub_bytes(with_batch));
	memcpy((char *)buf + (stub_image - stub_begin), image, sizeof(image));
}

void arch_stub_claim(void *buf, uint64_t area, uint64_t area_bytes)
{
	char *image = (char *)buf + (stub_image - stub_begin);

	memcpy(image + 8 * STUB_AREA, &area, sizeof(area));
	memcpy(image + 8 * STUB_AREA_BYTES, &area_bytes, sizeof(area_bytes));
}

bool arch_stub_claims(const void *bytes, uint64_t area, uint64_t area_bytes)
{
	uint64_t image[STUB_IMAGE_WORDS];

	memcpy(image, (const char *)bytes + (stub_image - stub_begin), sizeof(image));
	return area && image[STUB_AREA] == area && image[STUB_AREA_BYTES] == area_bytes;
}

void arch_stub_arm(void *buf, uint64_t at, const struct arch_batch *batch)
{
	uint64_t header[STUB_HEADER_WORDS] = {
		[STUB_GO] = 1,
		[STUB_N_OPS] = batch->n_ops,
		[STUB_OPS] = batch->ops,
		[STUB_KEEP_MASK] = batch->keep_mask,
	};

	if (batch->signo) {
		header[STUB_END_NR] = SYS_tgkill;
		header[STUB_END_ARG0] = batch->pid;
		header[STUB_END_ARG1] = batch->tid;
		header[STUB_END_ARG2] = batch->signo;
	} else {
		header[STUB_END_NR] = SYS_rt_sigtimedwait;
		header[STUB_END_ARG0] = at + (stub_image - stub_begin) + 8 * STUB_NAP_S;
		header[STUB_END_ARG2] = header[STUB_END_ARG0];
	}
	memcpy((char *)buf + (stub_header - stub_begin), header, sizeof(header));
}

long arch_stub_call_ret(const struct user_regs_struct *regs, uint64_t at)
{
	return regs->rip == at + arch_stub_offset(ARCH_STUB_CALL_RET) ? regs->rax : regs->r15;
}

bool arch_stub_is(const void *bytes)
{
	return !memcmp(bytes, stub_begin, stub_image - stub_begin);
}

uint64_t arch_stub_born(const void *bytes)
{
	uint64_t born;

	memcpy(&born, (const char *)bytes + (stub_image - stub_begin) + 8 * STUB_BORN, sizeof(born));
	return born;
}

void arch_stub_adopt(const void *buf, struct user_regs_struct *regs, uint64_t *ret_sigmask)
{
	uint64_t image[STUB_IMAGE_WORDS];

	memcpy(image, (const char *)buf + (stub_image - stub_begin), sizeof(image));
	for (size_t i = 0; i < ARRAY_SIZE(image_words); i++)
		memcpy((char *)regs + image_words[i].member, &image[image_words[i].word], 8);
	regs->orig_rax = -1;
	*ret_sigmask = image[STUB_MASK];
}
