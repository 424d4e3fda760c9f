#include <string.h>

#include "stub.h"
#include "stub-offsets.h"

extern const char stub_begin[], stub_end[], stub_batch_end[];
extern const char stub_syscall[], stub_heal[], stub_heal_regs[], stub_image[];
extern const char stub_batch[], stub_batch_stop[], stub_header[];

_Static_assert(8 * STUB_IMAGE_WORDS < ARCH_STUB_BYTES_MAX, "the image fits the stub");

uint64_t arch_stub_offset(enum arch_stub_entry entry)
{
	switch (entry) {
	case ARCH_STUB_SYSCALL:
		return stub_syscall - stub_begin;
	case ARCH_STUB_HEAL:
		return stub_heal - stub_begin;
	case ARCH_STUB_HEAL_REGS:
		return stub_heal_regs - stub_begin;
	case ARCH_STUB_BATCH:
		return stub_batch - stub_begin;
	case ARCH_STUB_BATCH_STOP:
		return stub_batch_stop - stub_begin;
	}
	return 0;
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
	{ STUB_R15, offsetof(struct user_regs_struct, r15) },	   { STUB_R14, offsetof(struct user_regs_struct, r14) },
	{ STUB_R13, offsetof(struct user_regs_struct, r13) },	   { STUB_R12, offsetof(struct user_regs_struct, r12) },
	{ STUB_RBP, offsetof(struct user_regs_struct, rbp) },	   { STUB_RBX, offsetof(struct user_regs_struct, rbx) },
	{ STUB_R11, offsetof(struct user_regs_struct, r11) },	   { STUB_R10, offsetof(struct user_regs_struct, r10) },
	{ STUB_R9, offsetof(struct user_regs_struct, r9) },	   { STUB_R8, offsetof(struct user_regs_struct, r8) },
	{ STUB_RAX, offsetof(struct user_regs_struct, rax) },	   { STUB_RCX, offsetof(struct user_regs_struct, rcx) },
	{ STUB_RDX, offsetof(struct user_regs_struct, rdx) },	   { STUB_RSI, offsetof(struct user_regs_struct, rsi) },
	{ STUB_RDI, offsetof(struct user_regs_struct, rdi) },	   { STUB_RIP, offsetof(struct user_regs_struct, rip) },
	{ STUB_FLAGS, offsetof(struct user_regs_struct, eflags) }, { STUB_RSP, offsetof(struct user_regs_struct, rsp) },
};

void arch_stub_build(void *buf, const struct user_regs_struct *resume, uint64_t sigmask, bool with_batch)
{
	uint64_t image[STUB_IMAGE_WORDS];

	for (size_t i = 0; i < ARRAY_SIZE(image_words); i++)
		memcpy(&image[image_words[i].word], (const char *)resume + image_words[i].member, 8);
	image[STUB_MASK] = sigmask;

	memcpy(buf, stub_begin, arch_stub_bytes(with_batch));
	memcpy((char *)buf + (stub_image - stub_begin), image, sizeof(image));
}

void arch_stub_arm(void *buf, uint64_t ops, size_t n_ops, pid_t pid, pid_t tid, int signo)
{
	uint64_t header[STUB_HEADER_WORDS] = {
		[STUB_GO] = 1,	  [STUB_N_OPS] = n_ops, [STUB_OPS] = ops,
		[STUB_PID] = pid, [STUB_TID] = tid,	[STUB_SIGNO] = signo,
	};

	memcpy((char *)buf + (stub_header - stub_begin), header, sizeof(header));
}

bool arch_stub_is(const void *bytes)
{
	return !memcmp(bytes, stub_begin, stub_image - stub_begin);
}

void arch_stub_adopt(const void *buf, uint64_t code_offset, struct user_regs_struct *regs, uint64_t *ret_sigmask)
{
	uint64_t image[STUB_IMAGE_WORDS];
	bool in_batch = code_offset >= (uint64_t)(stub_end - stub_begin);

	memcpy(image, (const char *)buf + (stub_image - stub_begin), sizeof(image));
	for (size_t i = 0; i < ARRAY_SIZE(image_words); i++) {
		/* The plain stub leaves flags and stack alone: what the thread has now is right. */
		if (!in_batch && (image_words[i].word == STUB_FLAGS || image_words[i].word == STUB_RSP))
			continue;
		memcpy((char *)regs + image_words[i].member, &image[image_words[i].word], 8);
	}
	regs->orig_rax = -1;
	*ret_sigmask = image[STUB_MASK];
}
