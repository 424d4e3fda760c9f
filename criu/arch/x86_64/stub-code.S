/*
 * The code that runs inside a stopped thread. Position independent: it is
 * copied into the target, a register image is written into the copy, and the
 * thread is pointed at one of its entries.
 *
 * stub_call      one system call, then a nap that the tracer interrupts; heals
 *                without a system call
 * stub_syscall   one system call between two stops, then heal
 * stub_heal      restore the signal mask and all registers, go on where the
 *                thread was: what runs if the tracer is gone
 * stub_heal_regs the same without a system call, for seccomp-confined threads
 * stub_batch     run the list of calls in the header, then the call that ends
 *                it: a signal to itself (a stop while traced, nothing otherwise) or
 *                a nap; heal if there is no more work
 *
 * Only mov, lea, jmp, jrcxz and syscall: flags and the stack pointer are never
 * touched, so a signal handler may run in between at any instruction.
 *
 * The word GO is looked at before every call but those of stub_syscall: when it
 * is cleared from outside, the thread heals instead. stub_call does not write to memory, for
 * it runs in the vdso.
 *
 * A nap is an rt_sigtimedwait() for no signal at all, for that is not restarted after an interrupt:
 *
 *  1. a confined thread naps, we interrupt it, and are killed
 *  2. of most calls the kernel would make this a restart: rip goes back to the system call
 *  3. the thread makes it anew, is judged by its filters, and dies
 *
 * The seconds of its timeout, which are 0, serve as the empty set of signals.
 */
#include "stub-offsets.h"

#define NR_RT_SIGPROCMASK  14
#define NR_RT_SIGTIMEDWAIT 128

	.section .rodata
	.balign 64
	.globl stub_begin, stub_end, stub_batch_end

#define IMAGE(index) stub_image + 8 * (index)(%rip)

stub_begin:
	.ascii	"criustub"
	.globl	stub_call, stub_call_ret, stub_call_done, stub_call_end
stub_call:
	mov	IMAGE(STUB_CALL_GO), %rcx
	jrcxz	stub_heal_regs
	syscall
stub_call_ret:
	mov	%rax, %r15
stub_call_done:
	mov	IMAGE(STUB_CALL_GO), %rcx
	jrcxz	stub_heal_regs
	mov	$NR_RT_SIGTIMEDWAIT, %eax	/* rt_sigtimedwait(no signal, NULL, nap, 8) */
	lea	IMAGE(STUB_NAP_S), %rdi
	mov	$0, %esi
	lea	IMAGE(STUB_NAP_S), %rdx
	mov	$8, %r10d
	syscall
stub_call_end:
	jmp	stub_heal_regs
	.globl	stub_syscall
stub_syscall:
	syscall
	.globl	stub_heal
stub_heal:
	mov	$NR_RT_SIGPROCMASK, %eax	/* rt_sigprocmask(SIG_SETMASK, mask, NULL, 8) */
	mov	$2, %edi
	lea	IMAGE(STUB_MASK), %rsi
	mov	$0, %edx
	mov	$8, %r10d
	syscall
	.globl	stub_heal_regs
stub_heal_regs:
	mov	IMAGE(STUB_R15), %r15
	mov	IMAGE(STUB_R14), %r14
	mov	IMAGE(STUB_R13), %r13
	mov	IMAGE(STUB_R12), %r12
	mov	IMAGE(STUB_RBP), %rbp
	mov	IMAGE(STUB_RBX), %rbx
	mov	IMAGE(STUB_R11), %r11
	mov	IMAGE(STUB_R10), %r10
	mov	IMAGE(STUB_R9), %r9
	mov	IMAGE(STUB_R8), %r8
	mov	IMAGE(STUB_RAX), %rax
	mov	IMAGE(STUB_RCX), %rcx
	mov	IMAGE(STUB_RDX), %rdx
	mov	IMAGE(STUB_RSI), %rsi
	mov	IMAGE(STUB_RDI), %rdi
	jmp	*IMAGE(STUB_RIP)
	.balign 8
	.globl	stub_image
stub_image:
	.skip	8 * STUB_IMAGE_WORDS
stub_end:

	.globl	stub_batch, stub_batch_op, stub_batch_done, stub_batch_stop
stub_batch:
	lea	stub_header(%rip), %rbx
1:	mov	8 * STUB_N_OPS(%rbx), %r12
	mov	8 * STUB_OPS(%rbx), %rbp
2:	mov	8 * STUB_GO(%rbx), %rcx
	jrcxz	4f
	mov	%r12, %rcx
	jrcxz	3f
	mov	0(%rbp), %rax
	mov	8(%rbp), %rdi
	mov	16(%rbp), %rsi
	mov	24(%rbp), %rdx
	mov	32(%rbp), %r10
	mov	40(%rbp), %r8
	mov	48(%rbp), %r9
	syscall
stub_batch_op:
	mov	%rax, 56(%rbp)
	lea	64(%rbp), %rbp
	lea	-1(%r12), %r12
	jmp	2b
3:	movq	$0, 8 * STUB_GO(%rbx)
stub_batch_done:
	mov	8 * STUB_END_NR(%rbx), %rax
	mov	8 * STUB_END_ARG0(%rbx), %rdi
	mov	8 * STUB_END_ARG1(%rbx), %rsi
	mov	8 * STUB_END_ARG2(%rbx), %rdx
	mov	$8, %r10d			/* sigset size of the nap */
	syscall
stub_batch_stop:
	jmp	1b
4:	mov	8 * STUB_KEEP_MASK(%rbx), %rcx
	jrcxz	5f
	jmp	stub_heal_regs
5:	jmp	stub_heal
	.balign 8
	.globl	stub_header
stub_header:
	.skip	8 * STUB_HEADER_WORDS
stub_batch_end:

	.section .note.GNU-stack, "", @progbits
