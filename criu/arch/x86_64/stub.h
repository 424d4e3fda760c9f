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
#define ARCH_STUB_BYTES_MAX  384
#define ARCH_SLOT_CODE_BYTES 1024

/* Offsets of the entries from the start of a copy. */
enum arch_stub_entry {
	ARCH_STUB_SYSCALL,
	ARCH_STUB_HEAL,
	ARCH_STUB_HEAL_REGS,
	ARCH_STUB_BATCH,
	ARCH_STUB_BATCH_STOP, /* where the end signal of a batch stops the thread */
};
uint64_t arch_stub_offset(enum arch_stub_entry entry);
size_t arch_stub_bytes(bool with_batch);

/**
 * arch_stub_build - a copy of the stub that heals to @resume and @sigmask
 * @buf: arch_stub_bytes(@with_batch) bytes
 */
void arch_stub_build(void *buf, const struct user_regs_struct *resume, uint64_t sigmask, bool with_batch);

/** arch_stub_arm - header of a slot's batch: @n_ops calls at target address @ops. */
void arch_stub_arm(void *buf, uint64_t ops, size_t n_ops, pid_t pid, pid_t tid, int signo);

/** arch_stub_is - do these bytes start a stub of ours (left by a tracer that died)? */
bool arch_stub_is(const void *bytes);

/**
 * arch_stub_adopt - registers and mask that a stub found in a target would heal to
 * @regs: updated; members the stub does not hold (segments, bases) stay
 * @code_offset: rip relative to the start of the stub
 */
void arch_stub_adopt(const void *buf, uint64_t code_offset, struct user_regs_struct *regs, uint64_t *ret_sigmask);

#endif
