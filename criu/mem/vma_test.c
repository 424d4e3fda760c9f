#include <sys/mman.h>

#include "mem/vma.h"
#include "util/test.h"

static void test_advice(void)
{
	CHECK_EQ(vma_advice(0), 0);
	CHECK_EQ(vma_advice(PROC_VM_MAYREAD | PROC_VM_ACCOUNT), 0);
	CHECK_EQ(vma_advice(PROC_VM_DONTCOPY | PROC_VM_HUGEPAGE), 1UL << MADV_DONTFORK | 1UL << MADV_HUGEPAGE);
	CHECK_EQ(vma_advice(PROC_VM_WIPEONFORK), 1UL << 18);
}

static const char *obstacle(const char *name, uint64_t vm_flags)
{
	struct proc_map map = { .name = (char *)name, .vm_flags = vm_flags };

	return vma_obstacle(&map);
}

static void test_obstacles(void)
{
	CHECK(!obstacle("", PROC_VM_MAYREAD));
	CHECK(!obstacle("/usr/lib/libc.so.6", PROC_VM_MAYREAD));
	CHECK(!obstacle("[vvar]", PROC_VM_IO | PROC_VM_PFNMAP));
	CHECK(!obstacle("[vdso]", PROC_VM_SEALED));
	CHECK(obstacle("/dev/mem", PROC_VM_IO | PROC_VM_PFNMAP) != NULL);
	CHECK(!obstacle("/[aio] (deleted)", 0));
	CHECK(obstacle("/secretmem (deleted)", 0) != NULL);
	CHECK(obstacle("anon_inode:[io_uring]", 0) != NULL);
	CHECK(obstacle("", PROC_VM_UFFD_WP) != NULL);
	CHECK(!obstacle("", PROC_VM_SEALED));
}

int main(void)
{
	test_advice();
	test_obstacles();
	return test_end();
}
