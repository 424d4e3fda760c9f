#include <linux/mempolicy.h>
#include <string.h>

#include "image/mempolicy.h"
#include "util/log.h"

/* Modes are small numbers, flags the bits below this. */
#define MODE_END (1U << 16)

MempolicyEntry *mempolicy_entry_new(struct arena *arena, const struct numa_policy *policy)
{
	size_t n = NUMA_NODE_WORDS;
	MempolicyEntry *entry;

	if (policy->mode == MPOL_DEFAULT)
		return NULL;
	while (n && !policy->nodes[n - 1])
		n--;
	entry = arena_new_of(arena, MempolicyEntry);
	mempolicy_entry__init(entry);
	entry->mode = policy->mode;
	entry->n_nodes = n;
	entry->nodes = arena_memdup(arena, policy->nodes, n * sizeof(uint64_t));
	return entry;
}

void mempolicy_of_entry(const MempolicyEntry *entry, struct numa_policy *ret)
{
	*ret = (struct numa_policy){ .mode = MPOL_DEFAULT };
	if (!entry)
		return;
	ret->mode = entry->mode;
	memcpy(ret->nodes, entry->nodes, entry->n_nodes * sizeof(uint64_t));
}

int mempolicy_check(const MempolicyEntry *entry, const char *what)
{
	if (!entry->mode || entry->mode >= MODE_END || entry->n_nodes > NUMA_NODE_WORDS)
		return fail(EINVAL, "%s: memory policy %#x of %zu words of nodes", what, entry->mode, entry->n_nodes);
	return 0;
}
