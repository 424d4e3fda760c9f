/*
 * Single system calls in a stopped process, and the scratch area that batches
 * need. At every instruction of this a seized thread either is itself or, if
 * we die, makes itself so: see stub-code.S for the healing and seize.h for the stop.
 */
#ifndef CRIU_REMOTE_CALL_H
#define CRIU_REMOTE_CALL_H

#include "remote/process.h"

#define REMOTE_SLOT_BYTES (64 * 1024UL)

/**
 * remote_open - be able to run calls in @process
 *
 * Seized: puts a stub into the unused tail of its vdso and maps one scratch area through it (a
 * slot per thread). Puppet: @scratch_at names a hole of the target's layout.
 */
int must_check remote_open(struct remote_process *process);
int must_check remote_open_puppet(struct remote_process *process, struct remote_addr scratch_at, size_t n_slots);

/**
 * remote_close - undo it: every thread has its own registers again, the
 * scratch area and the stub are gone. For a seized process nothing of ours is left.
 */
int must_check remote_close(struct remote_process *process);

/**
 * remote_call - one system call by @thread, outside of any batch
 * @ret: result: >= 0 or -errno of the target's kernel
 */
int must_check remote_call_args(struct remote_thread *thread, long *ret, long nr, const uint64_t args[6]);
#define remote_call(thread, ret, nr, ...) remote_call_args(thread, ret, nr, (const uint64_t[6]){ __VA_ARGS__ })

/**
 * remote_is_harmless - would @thread survive it if we died now and its filters judged a call?
 * @ip: behind the system call instruction
 */
bool remote_is_harmless(const struct remote_thread *thread, uint64_t ip, long nr, const uint64_t args[6]);
/** remote_heals_harmlessly - the same for the system call that heals from a stub at @stub. */
bool remote_heals_harmlessly(const struct remote_thread *thread, struct remote_addr stub);

/** remote_park - make @thread heal itself from @stub should we die; its signals are blocked. */
int must_check remote_park(struct remote_thread *thread, struct remote_addr stub);
/** remote_unpark - its own registers and signal mask again. */
int must_check remote_unpark(struct remote_thread *thread);
/** remote_restore - the same for a thread that is in an event or signal stop. */
int must_check remote_restore(struct remote_thread *thread);

#endif
