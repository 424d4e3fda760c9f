#include "arch.h"

void arch_set_syscall(struct user_regs_struct *regs, uint64_t insn, long nr, const uint64_t args[6])
{
	regs->rip = insn;
	regs->rax = nr;
	regs->orig_rax = -1;
	regs->rdi = args[0];
	regs->rsi = args[1];
	regs->rdx = args[2];
	regs->r10 = args[3];
	regs->r8 = args[4];
	regs->r9 = args[5];
}
