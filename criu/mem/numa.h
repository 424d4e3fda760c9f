/* NUMA memory policy of shared objects: not saved, but said. */
#ifndef CRIU_MEM_NUMA_H
#define CRIU_MEM_NUMA_H

#include "mem/inode.h"

/**
 * numa_warn - warn if a policy of the object will be lost
 * @inode: a shared object of the tree whose holders are known and stopped
 *
 * Says nothing where the kernel has no NUMA or does not let us ask.
 * Source: get_mempolicy(2), mbind(2).
 */
void numa_warn(const struct inode *inode);

#endif
