/* The extended processor state (XSAVE) in images: a part of core.c's work. */
#ifndef CRIU_ARCH_XSTATE_H
#define CRIU_ARCH_XSTATE_H

#include "arch.h"

/* Where messages are allocated: zeroed memory that lives as long as they do. */
struct allocator {
	void *(*alloc)(void *arg, size_t bytes);
	void *arg;
};

/** xstate_dump - @xstate into @fp, initialised by the caller; -ENOTSUP if images have no field for what is in use. */
int must_check xstate_dump(UserX86FpregsEntry *fp, const struct arch_xstate *xstate, const struct allocator *allocator);

/** xstate_restore - the other way round, in the form of this processor; see arch_core_restore(). */
int must_check xstate_restore(const UserX86FpregsEntry *fp, struct arch_xstate *ret);

#endif
