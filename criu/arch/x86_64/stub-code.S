/*
 * The code that runs inside a stopped thread. Position independent: it is
 * copied into the target, a register image is written into the copy, and the
 * thread is pointed at one of its entries.
 *
 * stub_syscall   one system call, then heal
 * stub_heal      restore the signal mask and all registers, go on where the
 *                thread was: what runs if the tracer is gone
 * stub_heal_regs the same without a system call, for seccomp-confined threads
 * stub_batch     run the list of calls in the header, end with a signal to
 *                itself (a stop while traced, nothing otherwise), look for
 *                more work, heal if there is none
 *
 * Only mov, lea, jmp and syscall up to stub_end: flags and the stack pointer
 * are never touched, so a signal handler may run in between.
 */
#include "stub-offsets.h"

	.section .rodata
	.balign 64
	.globl stub_begin, stub_end, stub_batch_end

#define IMAGE(index) stub_image + 8 * (index)(%rip)

stub_begin:
	.ascii	"criustub"
	.globl	stub_syscall
stub_syscall:
	syscall
	.globl	stub_heal
stub_heal:
	mov	$14, %eax			/* rt_sigprocmask(SIG_SETMASK, mask, NULL, 8) */
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

/* Signals are blocked from here on: the flags and the stack pointer may be used. */
stub_batch_heal:
	lea	IMAGE(STUB_FLAGS), %rsp
	popfq
	mov	IMAGE(STUB_RSP), %rsp
	jmp	stub_heal
	.globl	stub_batch
stub_batch:
	lea	stub_header(%rip), %rbx
1:	mov	8 * STUB_GO(%rbx), %rax
	test	%rax, %rax
	jz	stub_batch_heal
	movq	$0, 8 * STUB_GO(%rbx)
	mov	8 * STUB_N_OPS(%rbx), %r12
	mov	8 * STUB_OPS(%rbx), %rbp
	test	%r12, %r12
	jz	3f
2:	mov	0(%rbp), %rax
	mov	8(%rbp), %rdi
	mov	16(%rbp), %rsi
	mov	24(%rbp), %rdx
	mov	32(%rbp), %r10
	mov	40(%rbp), %r8
	mov	48(%rbp), %r9
	syscall
	mov	%rax, 56(%rbp)
	add	$64, %rbp
	dec	%r12
	jnz	2b
3:	mov	$234, %eax			/* tgkill(pid, tid, signo) */
	mov	8 * STUB_PID(%rbx), %rdi
	mov	8 * STUB_TID(%rbx), %rsi
	mov	8 * STUB_SIGNO(%rbx), %rdx
	syscall
	.globl	stub_batch_stop
stub_batch_stop:
	jmp	1b
	.balign 8
	.globl	stub_header
stub_header:
	.skip	8 * STUB_HEADER_WORDS
stub_batch_end:

	.section .note.GNU-stack, "", @progbits
