/*
 * Who has an object open that only the links of descriptors name: pipes and sockets. One look
 * at all processes that /proc shows, on first use; then any number of questions.
 */
#ifndef CRIU_KERNEL_PROC_OWNER_H
#define CRIU_KERNEL_PROC_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/hash.h"

/* Zero-initialised; proc_owners_free(). */
struct proc_owners {
	bool listed;
	struct hash first; /* (inode, is a pipe) -> pid of the first process that has it */
};

/**
 * proc_owners_list - look at all processes but @skip
 * @skip: pid -> anything
 * What may not be looked at, or is gone meanwhile, has nothing. Does it once.
 */
void proc_owners_list(struct proc_owners *owners, const struct hash *skip);

/** proc_owner_of - a process that has the socket (or pipe) @ino open; 0: none is seen. */
pid_t proc_owner_of(const struct proc_owners *owners, uint64_t ino, bool pipe);

/** proc_owner_text - "process 41 (sleep)", or "a process that /proc does not show" for 0; owned by the caller. */
char *proc_owner_text(pid_t pid);

void proc_owners_free(struct proc_owners *owners);

#endif
