#include "spin.h"

const char *test_doc = "General registers, the flags and the red zone below the stack pointer while the task computes";
const char *test_author = "The criu team";

/* rsp, rcx and r11 are left out: the loop needs them. The compiler can't be told of rbp, so it is pushed. */
#define NR 13

static int spin(unsigned seed)
{
	uint64_t regs[NR + 2], want[NR + 2];

	spin_fill(want, sizeof(want), seed);
	/* Carry, parity, adjust, zero, sign, direction, overflow; interrupts are always on. */
	want[NR] = seed == 1 ? 0x0cd7 : 0x0a83;
	memcpy(regs, want, sizeof(want));

	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "push %%rbp\n\t"
			 "push %%rbx\n\t"
			 "pushq 104(%%rcx)\n\t"
			 "movq 112(%%rcx), %%r11\n\t"
			 "movq %%r11, -112(%%rsp)\n\t"
			 "movq 0(%%rcx), %%rax\n\t movq 8(%%rcx), %%rbx\n\t movq 16(%%rcx), %%rdx\n\t"
			 "movq 24(%%rcx), %%rsi\n\t movq 32(%%rcx), %%rdi\n\t movq 40(%%rcx), %%rbp\n\t"
			 "movq 48(%%rcx), %%r8\n\t movq 56(%%rcx), %%r9\n\t movq 64(%%rcx), %%r10\n\t"
			 "movq 72(%%rcx), %%r12\n\t movq 80(%%rcx), %%r13\n\t movq 88(%%rcx), %%r14\n\t"
			 "movq 96(%%rcx), %%r15\n\t"
			 "popfq\n\t"
			 /* Testing the end without touching the flags. */
			 "xchgq %%rcx, %%r11\n\t"
			 "1: pause\n\t"
			 "movl spin_end(%%rip), %%ecx\n\t"
			 "jrcxz 1b\n\t"
			 "xchgq %%rcx, %%r11\n\t"
			 "movq %%rax, 0(%%rcx)\n\t movq %%rbx, 8(%%rcx)\n\t movq %%rdx, 16(%%rcx)\n\t"
			 "movq %%rsi, 24(%%rcx)\n\t movq %%rdi, 32(%%rcx)\n\t movq %%rbp, 40(%%rcx)\n\t"
			 "movq %%r8, 48(%%rcx)\n\t movq %%r9, 56(%%rcx)\n\t movq %%r10, 64(%%rcx)\n\t"
			 "movq %%r12, 72(%%rcx)\n\t movq %%r13, 80(%%rcx)\n\t movq %%r14, 88(%%rcx)\n\t"
			 "movq %%r15, 96(%%rcx)\n\t"
			 "movq -120(%%rsp), %%r11\n\t"
			 "movq %%r11, 112(%%rcx)\n\t"
			 "pushfq\n\t"
			 "popq 104(%%rcx)\n\t"
			 "cld\n\t"
			 "pop %%rbx\n\t"
			 "pop %%rbp\n\t"
			 "leaq 128(%%rsp), %%rsp\n\t"
			 :
			 : "c"(regs)
			 : "memory", "cc", "rax", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
			   "r15");
	/* Bits that the processor or the kernel own. */
	regs[NR] &= 0x0cd5 | 0x0881;
	want[NR] &= 0x0cd5 | 0x0881;
	return spin_compare("general registers", regs, want, sizeof(want), seed);
}

int main(int argc, char **argv)
{
	test_init(argc, argv);
	return spin_test();
}
