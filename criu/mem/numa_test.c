#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>

#include "mem/numa.h"
#include "kernel/numa.h"
#include "util/test.h"

#define PAGES 256

static struct inode *object(struct inodes *inodes, int fd)
{
	struct stat st;

	CHECK_EQ(fstat(fd, &st), 0);
	return inode_intern(inodes, fd, &st, "/memfd:numa");
}

static void set(int fd, size_t first, size_t n, int mode)
{
	struct numa_policy policy = { .mode = mode, .nodes = { 1 } };
	char *start = mmap(NULL, n * PAGE_BYTES, PROT_NONE, MAP_SHARED, fd, (off_t)(first * PAGE_BYTES));

	CHECK_EQ(numa_set_range(start, n * PAGE_BYTES, &policy), 0);
	munmap(start, n * PAGE_BYTES);
}

static void check_range(const MempolicyRangeEntry *range, size_t first, size_t end, int mode)
{
	CHECK_EQ(range->start, first * PAGE_BYTES);
	CHECK_EQ(range->end, end * PAGE_BYTES);
	CHECK_EQ(range->policy->mode, mode);
	CHECK_EQ(range->policy->n_nodes, 1);
}

/* Ranges that begin between the places that are looked at, and one that only a mapping of the tree leads to. */
static void test_ranges(struct arena *arena)
{
	struct inode_holder holder = {
		.pid = 1, .start = 0x1000, .end = 0x2000, .offset = 201 * PAGE_BYTES, .fd = -1, .access = "rw-s"
	};
	struct inodes inodes = { 0 };
	auto_fd int fd = memfd_create("numa", MFD_CLOEXEC);
	auto_fd int copy = memfd_create("copy", MFD_CLOEXEC);
	struct pagemap map = { 0 };
	MempolicyRangeEntry **ranges, **again;
	struct inode *inode;
	size_t n;

	CHECK_EQ(ftruncate(fd, PAGES * PAGE_BYTES), 0);
	CHECK_EQ(ftruncate(copy, PAGES * PAGE_BYTES), 0);
	inode = object(&inodes, fd);
	numa_find_ranges(inode, arena, &ranges, &n);
	CHECK(!ranges && !n);
	set(fd, 3, 99, MPOL_BIND);
	set(fd, 201, 1, MPOL_PREFERRED | MPOL_F_STATIC_NODES);
	numa_find_ranges(inode, arena, &ranges, &n);
	if (CHECK_EQ(n, 1))
		check_range(ranges[0], 3, 102, MPOL_BIND);
	inode_add_holder(inode, &holder);
	numa_find_ranges(inode, arena, &ranges, &n);
	if (CHECK_EQ(n, 2))
		check_range(ranges[1], 201, 202, MPOL_PREFERRED | MPOL_F_STATIC_NODES);
	map.policies = ranges;
	map.n_policies = n;
	numa_set_ranges(copy, "copy", &map);
	inode = object(&inodes, copy);
	inode_add_holder(inode, &holder);
	numa_find_ranges(inode, arena, &again, &n);
	if (CHECK_EQ(n, 2)) {
		check_range(again[0], 3, 102, MPOL_BIND);
		check_range(again[1], 201, 202, MPOL_PREFERRED | MPOL_F_STATIC_NODES);
	}
	/* A node that is not there: the range is left as it is. */
	ranges[1]->start = 150 * PAGE_BYTES;
	ranges[1]->policy->mode = MPOL_BIND;
	ranges[1]->policy->nodes[0] = 1ULL << 62;
	numa_set_ranges(copy, "copy", &map);
	numa_find_ranges(inode, arena, &again, &n);
	CHECK_EQ(n, 2);
	inodes_free(&inodes);
}

static void test_impossible(void)
{
	uint64_t there[] = { 1 }, missing[] = { 1, 2 };
	struct model model;
	struct task_image *task;
	MempolicyEntry policies[3];
	VmaEntry vmas[2], *list[2] = { &vmas[0], &vmas[1] };

	model_init(&model);
	task = model_add_task(&model);
	task->pstree = model_new(&model, PstreeEntry, pstree_entry__init);
	task->mm = model_new(&model, MmEntry, mm_entry__init);
	for (int i = 0; i < 3; i++) {
		mempolicy_entry__init(&policies[i]);
		policies[i].mode = MPOL_INTERLEAVE;
		policies[i].nodes = i ? missing : there;
		policies[i].n_nodes = i ? 2 : 1;
	}
	for (int i = 0; i < 2; i++) {
		vma_entry__init(&vmas[i]);
		vmas[i].policy = &policies[i];
	}
	task->mm->vmas = list;
	task->mm->n_vmas = 2;
	task->n_core = 1;
	task->core = arena_array(model.arena, CoreEntry *, 1);
	task->core[0] = model_new(&model, CoreEntry, core_entry__init);
	task->core[0]->thread_core = model_new(&model, ThreadCoreEntry, thread_core_entry__init);
	task->core[0]->thread_core->extra = model_new(&model, ThreadExtraEntry, thread_extra_entry__init);
	task->core[0]->thread_core->extra->mempolicy = &policies[2];
	task->pstree->threads = arena_array(model.arena, uint32_t, 1);
	numa_drop_impossible(&model);
	CHECK(vmas[0].policy == &policies[0]);
	CHECK(!vmas[1].policy);
	CHECK(!task->core[0]->thread_core->extra->mempolicy);
	model_free(&model);
}

int main(void)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();

	if (!numa_mask_words()) {
		TEST_SKIP("no NUMA policies");
		return test_end();
	}
	test_ranges(arena);
	test_impossible();
	return test_end();
}
