/*
 * The stub: machine code that executes system calls in a stopped thread and
 * knows how to make the thread itself again. See stub-code.S.
 */
#ifndef CRIU_ARCH_STUB_H
#define CRIU_ARCH_STUB_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

#include "util/macros.h"

/* Room a stub takes: alone (vdso tail), and with the batch runner (slot). */
#define ARCH_STUB_BYTES_MAX  448
#define ARCH_SLOT_CODE_BYTES 1024

/* Offsets from the start of a copy: entries, and places a thread may be found at. */
enum arch_stub_entry {
	ARCH_STUB_CALL,
	ARCH_STUB_CALL_RET,  /* behind its system call, the result not saved yet */
	ARCH_STUB_CALL_DONE, /* from here to CALL_END it has been made, the result is in r15 */
	ARCH_STUB_CALL_END,  /* behind the nap */
	ARCH_STUB_CALL_GO,   /* word */
	ARCH_STUB_SYSCALL,
	ARCH_STUB_HEAL,
	ARCH_STUB_HEAL_REGS, /* also: behind the system call of the healing */
	ARCH_STUB_BATCH,
	ARCH_STUB_BATCH_OP,   /* behind the system call of an op */
	ARCH_STUB_BATCH_DONE, /* from here to BATCH_STOP all ops have been made */
	ARCH_STUB_BATCH_STOP, /* behind the call that ends the batch */
	ARCH_STUB_BATCH_GO,   /* word */
};
uint64_t arch_stub_offset(enum arch_stub_entry entry);
size_t arch_stub_bytes(bool with_batch);

/**
 * arch_stub_build - a copy of the stub that heals to @resume and @sigmask
 * @buf: arch_stub_bytes(@with_batch) bytes
 */
void arch_stub_build(void *buf, const struct user_regs_struct *resume, uint64_t sigmask, bool with_batch);

/** arch_stub_claim - note in a copy that @area is about to be mapped for us. */
void arch_stub_claim(void *buf, uint64_t area, uint64_t area_bytes);

/** arch_stub_claims - does a stub found in a target say so of this range? */
bool arch_stub_claims(const void *bytes, uint64_t area, uint64_t area_bytes);

struct arch_batch {
	uint64_t ops; /* target address */
	size_t n_ops;
	bool keep_mask; /* heal without a system call */
	/* How it ends: tgkill(pid, tid, signo), or a nap if @signo is 0. */
	int signo;
	pid_t pid, tid;
};

/** arch_stub_arm - header of a slot's batch; @at: target address of the stub. */
void arch_stub_arm(void *buf, uint64_t at, const struct arch_batch *batch);

/** arch_stub_call_ret - result of the call a thread with @regs has made in the stub at @at. */
long arch_stub_call_ret(const struct user_regs_struct *regs, uint64_t at);

/** arch_stub_is - do these bytes start a stub of ours (left by a tracer that died)? */
bool arch_stub_is(const void *bytes);

/** arch_stub_born - when a stub found in a target was built, CLOCK_MONOTONIC ns. */
uint64_t arch_stub_born(const void *bytes);

/**
 * arch_stub_adopt - registers and mask that a stub found in a target would heal to
 * @regs: updated; members the stub does not change (flags, stack pointer, segments, bases) stay
 */
void arch_stub_adopt(const void *buf, struct user_regs_struct *regs, uint64_t *ret_sigmask);

#endif
