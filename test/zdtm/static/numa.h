#ifndef ZDTM_NUMA_H
#define ZDTM_NUMA_H

/* NUMA memory policies of one node, which every machine has. Include zdtmtst.h first. */

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NUMA_MAX_NODE 1025 /* as the kernel counts: one bit more than it reads */

struct numa {
	int mode;
	unsigned long nodes[16];
};

/* Policy of node 0 alone; local and default have none. */
static inline int numa_bind(void *addr, size_t len, int mode)
{
	struct numa numa = { .nodes = { mode != MPOL_LOCAL && mode != MPOL_DEFAULT } };

	return syscall(SYS_mbind, addr, len, mode, numa.nodes, (long)NUMA_MAX_NODE, 0);
}

static inline int numa_set_own(int mode)
{
	struct numa numa = { .nodes = { mode != MPOL_LOCAL && mode != MPOL_DEFAULT } };

	return syscall(SYS_set_mempolicy, mode, numa.nodes, (long)NUMA_MAX_NODE);
}

/* Is it such a policy? Of @addr, or of the thread if NULL. 0, or 1 (said). */
static inline int numa_check(const void *addr, int mode)
{
	struct numa numa = { 0 };
	unsigned long want = mode != MPOL_LOCAL && mode != MPOL_DEFAULT;

	if (syscall(SYS_get_mempolicy, &numa.mode, numa.nodes, (long)NUMA_MAX_NODE, addr,
		    (long)(addr ? MPOL_F_ADDR : 0)))
		return fail("get_mempolicy: %s", strerror(errno));
	if (numa.mode != mode || numa.nodes[0] != want)
		return fail("policy at %p: mode %#x of nodes %#lx, not %#x of %#lx", addr, numa.mode, numa.nodes[0],
			    mode, want);
	return 0;
}

/* A kernel without policies, or a sandbox that forbids them. */
static inline bool numa_is_missing(void)
{
	int mode;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0L, NULL, 0L) && (errno == ENOSYS || errno == EPERM);
}

#endif
