/*
 * All that differs between architectures, as a short list of functions and
 * constants. Another architecture is another folder with this header.
 */
#ifndef CRIU_ARCH_H
#define CRIU_ARCH_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/user.h>

#include "images/core.pb-c.h"
#include "util/macros.h"

#define ARCH_MTYPE	      CORE_ENTRY__MARCH__X86_64
#define ARCH_TASK_SIZE	      0x7ffffffff000UL
#define ARCH_XSTATE_MAX_BYTES 16384

/* --- system calls in registers ------------------------------------------ */

/** arch_set_syscall - make @regs execute system call @nr at address @insn. */
void arch_set_syscall(struct user_regs_struct *regs, uint64_t insn, long nr, const uint64_t args[6]);

static inline long arch_syscall_ret(const struct user_regs_struct *regs)
{
	return (long)regs->rax;
}

/* --- images --------------------------------------------------------------- */

/* Extended processor state as PTRACE_GETREGSET(NT_X86_XSTATE) gives it. */
struct arch_xstate {
	size_t bytes;
	uint8_t data[ARCH_XSTATE_MAX_BYTES] __attribute__((aligned(64)));
};

/**
 * arch_refusal - what of the stopped thread @tid no image can hold
 * Return: a clause for the message ("uses a shadow stack"), or NULL.
 */
const char *arch_refusal(pid_t tid, const struct user_regs_struct *regs);

/** arch_read_xstate - extended state of the ptrace-stopped thread @tid; logged -errno. */
int must_check arch_read_xstate(pid_t tid, struct arch_xstate *ret);

/** arch_core_dump - registers into @core->thread_info (allocated by @alloc with @alloc_arg). */
int must_check arch_core_dump(CoreEntry *core, const struct user_regs_struct *regs, const struct arch_xstate *xstate,
			      void *(*alloc)(void *arg, size_t bytes), void *alloc_arg);

/**
 * arch_core_restore - the other way round
 * Return: 0, -EINVAL when the entry can't be loaded into a processor (not canonical addresses, kernel
 * segments, a wrong length), -ENOTSUP when it needs what this processor lacks.
 */
int must_check arch_core_restore(const CoreEntry *core, struct user_regs_struct *ret_regs,
				 struct arch_xstate *ret_xstate);

#endif
