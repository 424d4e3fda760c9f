#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/numa.h"
#include "util/mem.h"

#define MODE_FLAGS (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | (1 << 13) /* MPOL_F_NUMA_BALANCING */)

size_t numa_mask_words(void)
{
	uint64_t nodes[NUMA_NODE_WORDS];
	int mode;

	/* EINVAL: more nodes are possible than the mask holds. */
	if (!syscall(SYS_get_mempolicy, &mode, nodes, numa_max_node(1), NULL, 0))
		return 1;
	if (errno == EINVAL && !syscall(SYS_get_mempolicy, &mode, nodes, numa_max_node(NUMA_NODE_WORDS), NULL, 0))
		return NUMA_NODE_WORDS;
	return 0;
}

void numa_get(const void *addr, struct numa_policy *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (syscall(SYS_get_mempolicy, &ret->mode, ret->nodes, numa_max_node(NUMA_NODE_WORDS), addr, MPOL_F_ADDR))
		memset(ret, 0, sizeof(*ret));
}

int numa_set_range(void *addr, size_t bytes, const struct numa_policy *policy)
{
	return syscall(SYS_mbind, addr, bytes, policy->mode, policy->nodes, numa_max_node(NUMA_NODE_WORDS), 0) ? -errno
													       : 0;
}

/* Those of a policy without flags are the machine's own; the kernel would quietly leave out what is not there. */
static bool has_nodes(const struct numa_policy *policy)
{
	uint64_t allowed[NUMA_NODE_WORDS] = { 0 };

	if (policy->mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES))
		return true;
	if (syscall(SYS_get_mempolicy, NULL, allowed, numa_max_node(NUMA_NODE_WORDS), NULL, MPOL_F_MEMS_ALLOWED))
		return true;
	for (size_t i = 0; i < NUMA_NODE_WORDS; i++)
		if (policy->nodes[i] & ~allowed[i])
			return false;
	return true;
}

const char *numa_obstacle(const struct numa_policy *policy)
{
	void *page;
	int err;

	if (!numa_mask_words())
		return "this kernel has no memory policies";
	if (!has_nodes(policy))
		return "not all of its nodes are there, or not for criu's cpuset";
	page = mmap(NULL, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return "no memory to try it on";
	err = numa_set_range(page, PAGE_BYTES, policy);
	munmap(page, PAGE_BYTES);
	if (err == -EINVAL)
		return "this kernel does not know it, or has none of its nodes";
	return err ? strerror(-err) : NULL;
}

bool numa_same(const struct numa_policy *a, const struct numa_policy *b)
{
	return a->mode == b->mode && !memcmp(a->nodes, b->nodes, sizeof(a->nodes));
}

static bool has_node(const struct numa_policy *policy, size_t node)
{
	return node < NUMA_NODE_WORDS * 64 && policy->nodes[node / 64] >> node % 64 & 1;
}

const char *numa_text(const struct numa_policy *policy, char buf[NUMA_TEXT_BYTES])
{
	static const char *const names[] = {
		"default", "prefer", "bind", "interleave", "local", "prefer (many)", "weighted interleave"
	};
	int mode = policy->mode & ~MODE_FLAGS;
	size_t len = snprintf(buf, NUMA_TEXT_BYTES, "%s%s%s",
			      mode >= 0 && (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "unknown",
			      policy->mode & MPOL_F_STATIC_NODES ? "=static" : "",
			      policy->mode & MPOL_F_RELATIVE_NODES ? "=relative" : "");
	char separator = ':';

	for (size_t node = 0; node < NUMA_NODE_WORDS * 64 && len < NUMA_TEXT_BYTES; node++) {
		size_t last = node;

		if (!has_node(policy, node))
			continue;
		while (has_node(policy, last + 1))
			last++;
		len += snprintf(buf + len, NUMA_TEXT_BYTES - len, last > node ? "%c%zu-%zu" : "%c%zu", separator, node,
				last);
		separator = ',';
		node = last;
	}
	return buf;
}
