/*
 * regs_round: load every register from a record, let time pass, store every register.
 *
 * The record is reached through %gs, so that all 16 general registers, %rsp included,
 * may hold anything at all while time passes: whoever pushes to the stack of a stopped
 * thread, or believes it has one, is found out.  The loop must not touch a flag, hence
 * lea and jrcxz.
 *
 * Record layout: see struct regs_record in target.c.
 */
#define IN	 0
#define OUT	 0x1000
#define GPR	 0	/* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 */
#define FLAGS	 0x80
#define MXCSR	 0x88
#define FPUCW	 0x8c
#define X87	 0x90	/* 8 times 10 bytes, st(0) first */
#define MASKS	 0xe0	/* k0..k7 */
#define VEC	 0x140	/* 32 times 64 bytes */
#define SAVED	 0x2000 /* of the caller: stack pointer, then MXCSR */

#define FIRST_16 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define ALL_32	 FIRST_16, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31

/* %rsp comes last when it is loaded, for nothing may be pushed after that */
	.macro gpr_load
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rsp
	mov %gs:IN+at_\r, %\r
	.endr
	.endm
	.macro gpr_store
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rsp
	mov %\r, %gs:OUT+at_\r
	.endr
	.endm
	.set at, GPR
	.irp r, rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15
	.set at_\r, at
	.set at, at+8
	.endr

	.macro x87_load
	fninit
	fldcw %gs:IN+FPUCW
	.irp n, 7, 6, 5, 4, 3, 2, 1, 0
	fldt %gs:IN+X87+10*\n
	.endr
	.endm
	.macro x87_store
	fnstcw %gs:OUT+FPUCW
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	fstpt %gs:OUT+X87+10*\n
	.endr
	fninit
	.endm

	.macro load_sse
	.irp n, FIRST_16
	movdqu %gs:IN+VEC+64*\n, %xmm\n
	.endr
	.endm
	.macro store_sse
	.irp n, FIRST_16
	movdqu %xmm\n, %gs:OUT+VEC+64*\n
	.endr
	.endm
	.macro load_avx
	.irp n, FIRST_16
	vmovdqu %gs:IN+VEC+64*\n, %ymm\n
	.endr
	.endm
	.macro store_avx
	.irp n, FIRST_16
	vmovdqu %ymm\n, %gs:OUT+VEC+64*\n
	.endr
	vzeroupper
	.endm
	.macro load_avx512
	.irp n, ALL_32
	vmovdqu64 %gs:IN+VEC+64*\n, %zmm\n
	.endr
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq %gs:IN+MASKS+8*\n, %k\n
	.endr
	.endm
	.macro store_avx512
	.irp n, ALL_32
	vmovdqu64 %zmm\n, %gs:OUT+VEC+64*\n
	.endr
	.irp n, 0, 1, 2, 3, 4, 5, 6, 7
	kmovq %k\n, %gs:OUT+MASKS+8*\n
	.endr
	vzeroupper
	.endm

	.macro define_round vec
	.globl regs_round_\vec
	.type regs_round_\vec, @function
regs_round_\vec:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	stmxcsr %gs:SAVED+8
	mov %rsp, %gs:SAVED
	ldmxcsr %gs:IN+MXCSR
	x87_load
	load_\vec
	push %gs:IN+FLAGS
	popfq
	gpr_load
1:	jrcxz 2f
	lea -1(%rcx), %rcx
	jmp 1b
2:	gpr_store
	mov %gs:SAVED, %rsp
	pushfq
	pop %gs:OUT+FLAGS
	cld
	store_\vec
	x87_store
	stmxcsr %gs:OUT+MXCSR
	ldmxcsr %gs:SAVED+8
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size regs_round_\vec, . - regs_round_\vec
	.endm

	.text
	define_round sse
	define_round avx
	define_round avx512
	.section .note.GNU-stack, "", @progbits
