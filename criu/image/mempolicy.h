/* NUMA memory policies in images. */
#ifndef CRIU_IMAGE_MEMPOLICY_H
#define CRIU_IMAGE_MEMPOLICY_H

#include "images/mempolicy.pb-c.h"
#include "kernel/numa.h"
#include "util/mem.h"

/** mempolicy_entry_new - @policy as a message in @arena; NULL if it is the default, which is not written. */
MempolicyEntry *mempolicy_entry_new(struct arena *arena, const struct numa_policy *policy);

/** mempolicy_of_entry - the policy of a checked entry; the default without an entry. */
void mempolicy_of_entry(const MempolicyEntry *entry, struct numa_policy *ret);

/** mempolicy_check - is it one that a kernel may have given? Logged -EINVAL, with @what has it. */
int must_check mempolicy_check(const MempolicyEntry *entry, const char *what);

#endif
