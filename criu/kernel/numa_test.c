#include <linux/mempolicy.h>
#include <sys/mman.h>

#include "kernel/numa.h"
#include "util/mem.h"
#include "util/test.h"

static void test_text(void)
{
	struct numa_policy policy = { .mode = MPOL_DEFAULT };
	char text[NUMA_TEXT_BYTES];

	CHECK_STR(numa_text(&policy, text), "default");
	policy.mode = MPOL_BIND;
	policy.nodes[0] = 1;
	CHECK_STR(numa_text(&policy, text), "bind:0");
	policy.mode = MPOL_INTERLEAVE | MPOL_F_STATIC_NODES;
	policy.nodes[0] = 0x800000000000002dULL;
	policy.nodes[1] = 3;
	CHECK_STR(numa_text(&policy, text), "interleave=static:0,2-3,5,63-65");
	policy.mode = 99;
	memset(policy.nodes, 0x55, sizeof(policy.nodes));
	CHECK_EQ(strlen(numa_text(&policy, text)), NUMA_TEXT_BYTES - 1);
}

static void test_own(void)
{
	struct numa_policy policy = { .mode = MPOL_BIND | MPOL_F_STATIC_NODES, .nodes = { 1 } }, seen;
	char *area = mmap(NULL, 4 * PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	numa_get(area, &seen);
	CHECK_EQ(seen.mode, MPOL_DEFAULT);
	if (!numa_mask_words()) {
		TEST_SKIP("no NUMA policies");
		return;
	}
	CHECK(!numa_obstacle(&policy));
	CHECK_EQ(numa_set_range(area + PAGE_BYTES, PAGE_BYTES, &policy), 0);
	numa_get(area + PAGE_BYTES, &seen);
	CHECK(numa_same(&seen, &policy));
	numa_get(area, &seen);
	CHECK(!numa_same(&seen, &policy));
	policy.mode = MPOL_BIND;
	policy.nodes[15] = 1ULL << 63;
	CHECK(numa_obstacle(&policy));
	munmap(area, 4 * PAGE_BYTES);
}

int main(void)
{
	test_text();
	test_own();
	return test_end();
}
