/*
 * What the kernel keeps: mbind(2) on memory of tmpfs (files, memfds, anonymous shared memory, System V segments) sets
 * a policy of the object itself, by ranges, for whoever maps it. Elsewhere it is one of the mapping. Each thread
 * has one of its own (set_mempolicy(2), task/mempolicy.c).
 *
 * That of an object shows to anyone who maps it, so we do; no page is touched. We look where mappings of the tree begin
 * and end, for the kernel splits those that set a policy, and at a few places in between: the task that set it may
 * be gone. Mappings are asked for by the task itself. /proc/PID/numa_maps shows both, but only by looking at every page,
 * and shows that of the thread where there is none.
 *
 * Policies are set before memory is filled, so that pages come to lie where they did.
 *
 * Lost: home nodes (set_mempolicy_home_node(2)), which nobody can ask for; a short range of a large object that no
 * mapping of the tree begins or ends at; that of attached System V segments of huge pages; on which node each single page lay, where the policy leaves a choice.
 */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "image/mempolicy.h"
#include "mem/numa.h"
#include "remote/rounds.h"
#include "task/mempolicy.h"
#include "util/log.h"

#define PLACES_BETWEEN 64

/* --- of shared objects: dump -------------------------------------------------------- */

typedef VEC(uint64_t) offset_list;

/* The object, mapped by us. */
struct view {
	char *start;
	uint64_t bytes;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void add_place(offset_list *places, uint64_t offset, uint64_t end)
{
	if (offset < end)
		VEC_PUSH(places, offset);
}

/* Ascending, each once, the first is 0. */
static void find_places(const struct inode *inode, uint64_t bytes, offset_list *ret)
{
	uint64_t step = max_u64(PAGE_BYTES, round_up_pages(bytes / PLACES_BETWEEN));
	size_t n = 0;

	for (uint64_t offset = 0; offset < bytes; offset += step)
		VEC_PUSH(ret, offset);
	for (size_t i = 0; i < inode->holders.n; i++) {
		const struct inode_holder *holder = &inode->holders.data[i];

		if (holder->fd >= 0)
			continue;
		add_place(ret, holder->offset, bytes);
		add_place(ret, holder->offset + (holder->end - holder->start), bytes);
	}
	qsort(ret->data, ret->n, sizeof(*ret->data), by_value);
	for (size_t i = 0; i < ret->n; i++)
		if (!n || ret->data[n - 1] != ret->data[i])
			ret->data[n++] = ret->data[i];
	ret->n = n;
}

/* The first page of (@low, @high] whose policy isn't that of @low; only one border lies in between. */
static uint64_t find_border(const struct view *view, uint64_t low, uint64_t high, const struct numa_policy *at_low)
{
	struct numa_policy policy;

	while (high - low > PAGE_BYTES) {
		uint64_t middle = low + (high - low) / 2 / PAGE_BYTES * PAGE_BYTES;

		numa_get(view->start + middle, &policy);
		if (numa_same(&policy, at_low))
			low = middle;
		else
			high = middle;
	}
	return high;
}

static void add_range(MempolicyRangeEntry **ranges, size_t *n, uint64_t start, uint64_t end,
		      const struct numa_policy *policy, struct arena *arena)
{
	MempolicyEntry *entry = mempolicy_entry_new(arena, policy);
	MempolicyRangeEntry *range;

	if (!entry)
		return;
	range = ranges[(*n)++] = arena_new_of(arena, MempolicyRangeEntry);
	mempolicy_range_entry__init(range);
	range->start = start;
	range->end = end;
	range->policy = entry;
}

static void look_at(const struct view *view, const offset_list *places, struct arena *arena, MempolicyRangeEntry ***ret,
		    size_t *ret_n)
{
	struct numa_policy policy, next;
	uint64_t start = 0;

	numa_get(view->start, &policy);
	for (size_t i = 1; i <= places->n; i++) {
		uint64_t end = view->bytes;

		if (i < places->n) {
			numa_get(view->start + places->data[i], &next);
			if (numa_same(&next, &policy))
				continue;
			end = find_border(view, places->data[i - 1], places->data[i], &policy);
		}
		if (policy.mode != MPOL_DEFAULT && !*ret)
			*ret = arena_array(arena, MempolicyRangeEntry *, places->n);
		add_range(*ret, ret_n, start, end, &policy, arena);
		start = end;
		policy = next;
	}
}

void numa_find_ranges(const struct inode *inode, struct arena *arena, MempolicyRangeEntry ***ret, size_t *ret_n)
{
	struct view view = { .bytes = max_u64(inode->mapped_end, round_up_pages(inode->st.st_size)) };
	offset_list places = { 0 };
	auto_fd int fd = -1;

	*ret = NULL;
	*ret_n = 0;
	if (inode->fs_magic != FS_MAGIC_TMPFS || !view.bytes || !numa_mask_words())
		return;
	fd = inode_open_to_read(inode);
	if (fd < 0)
		return;
	view.start = mmap(NULL, view.bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (view.start == MAP_FAILED)
		return;
	find_places(inode, view.bytes, &places);
	look_at(&view, &places, arena, ret, ret_n);
	munmap(view.start, view.bytes);
	VEC_FREE(&places);
}

/* --- of mappings: dump ------------------------------------------------------------------ */

/* One process on its way; a batch asks for as many mappings as it has room for. */
struct scan {
	const struct numa_task *task;
	struct arena *arena;
	size_t words; /* of a node mask */
	size_t next;  /* mapping */
	size_t n;     /* asked for */
	struct {
		VmaEntry *entry;
		int op;
		struct remote_addr mode, nodes;
	} asked[BATCH_MAX_OPS];
};

static bool has_own_policy(const struct vma *vma)
{
	uint32_t status = vma->entry->status;

	if (!(status & VMA_AREA_REGULAR) ||
	    status & (VMA_AREA_VDSO | VMA_AREA_VVAR | VMA_AREA_SYSVIPC | VMA_AREA_AIORING))
		return false;
	return !vma->inode || vma->inode->fs_magic != FS_MAGIC_TMPFS;
}

static int scan_queue(void *arg, struct batch *batch, bool *ret_any)
{
	struct scan *scan = arg;
	const vma_list *vmas = scan->task->vmas;
	size_t most = min_u64(BATCH_MAX_OPS, BATCH_DATA_BYTES / (2 * 16 + scan->words * 8));

	scan->n = 0;
	for (; scan->next < vmas->n && scan->n < most; scan->next++) {
		const struct vma *vma = &vmas->data[scan->next];

		if (!has_own_policy(vma))
			continue;
		scan->asked[scan->n].entry = vma->entry;
		scan->asked[scan->n].mode = batch_data(batch, NULL, sizeof(int));
		scan->asked[scan->n].nodes = batch_data(batch, NULL, scan->words * sizeof(uint64_t));
		scan->asked[scan->n].op =
			batch_add(batch, SYS_get_mempolicy, scan->asked[scan->n].mode.v, scan->asked[scan->n].nodes.v,
				  numa_max_node(scan->words), vma->entry->start, MPOL_F_ADDR);
		scan->n++;
	}
	*ret_any = scan->n;
	return 0;
}

static int scan_collect(void *arg, struct batch *batch)
{
	struct scan *scan = arg;

	for (size_t i = 0; i < scan->n; i++) {
		struct numa_policy policy = { 0 };
		long ret = batch_ret(batch, scan->asked[i].op);

		if (ret < 0)
			return fail((int)-ret, "ask for the memory policy of the mapping at %#llx",
				    (unsigned long long)scan->asked[i].entry->start);
		policy.mode = *(const int *)batch_local(batch, scan->asked[i].mode);
		memcpy(policy.nodes, batch_local(batch, scan->asked[i].nodes), scan->words * sizeof(uint64_t));
		scan->asked[i].entry->policy = mempolicy_entry_new(scan->arena, &policy);
	}
	return 0;
}

int numa_dump_vmas(const struct numa_task *tasks, size_t n, struct arena *arena)
{
	static const struct round_calls calls = { scan_queue, scan_collect };
	size_t words = numa_mask_words();
	auto_free struct scan *scans = xalloc((n + 1) * sizeof(*scans));
	auto_free struct round_task *rounds = xalloc((n + 1) * sizeof(*rounds));

	if (!words)
		return 0;
	for (size_t i = 0; i < n; i++) {
		scans[i] = (struct scan){ .task = &tasks[i], .arena = arena, .words = words };
		rounds[i] = (struct round_task){ .process = tasks[i].process, .arg = &scans[i] };
	}
	return rounds_run(rounds, n, &calls);
}

/* --- restore ------------------------------------------------------------------------------ */

static bool is_impossible(const MempolicyEntry *entry, const char *what)
{
	char text[NUMA_TEXT_BYTES];
	struct numa_policy policy;
	const char *obstacle;

	mempolicy_of_entry(entry, &policy);
	obstacle = numa_obstacle(&policy);
	if (obstacle)
		pr_warn("%s: its NUMA memory policy (%s) is not restored: %s", what, numa_text(&policy, text),
			obstacle);
	return obstacle;
}

static void drop_of_threads(struct task_image *task)
{
	for (size_t i = 0; i < task->n_core; i++) {
		ThreadCoreEntry *core = task->core[i]->thread_core;
		auto_free char *what = xasprintf("thread %u", task->pstree->threads[i]);

		if (core && core->extra && core->extra->mempolicy && is_impossible(core->extra->mempolicy, what))
			core->extra->mempolicy = NULL;
	}
}

void numa_drop_impossible(struct model *model)
{
	for (size_t i = 0; i < model->tasks.n; i++) {
		struct task_image *task = &model->tasks.data[i];

		LOG_SCOPE("task", task->pstree->pid);
		drop_of_threads(task);
		for (size_t v = 0; task->mm && v < task->mm->n_vmas; v++) {
			VmaEntry *vma = task->mm->vmas[v];
			auto_free char *what = NULL;

			if (!vma->policy)
				continue;
			what = xasprintf("the mapping at %#llx", (unsigned long long)vma->start);
			if (is_impossible(vma->policy, what))
				vma->policy = NULL;
		}
	}
}

static void set_range(int fd, const char *name, const MempolicyRangeEntry *range)
{
	uint64_t bytes = range->end - range->start;
	struct numa_policy policy;
	void *start;
	int err;

	if (is_impossible(range->policy, name))
		return;
	mempolicy_of_entry(range->policy, &policy);
	start = mmap(NULL, bytes, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)range->start);
	if (start == MAP_FAILED) {
		pr_warn("%s: its NUMA memory policy is not restored: map it: %s", name, strerror(errno));
		return;
	}
	err = numa_set_range(start, bytes, &policy);
	if (err)
		pr_warn("%s: its NUMA memory policy is not restored: %s", name, strerror(-err));
	munmap(start, bytes);
}

void numa_set_ranges(int fd, const char *name, const struct pagemap *map)
{
	for (size_t i = 0; i < map->n_policies; i++)
		set_range(fd, name, map->policies[i]);
}

/* Did the relative have a policy anywhere there? Mappings are asked for in ascending order. */
static bool had_policy(struct numa_relative *relative, const VmaEntry *vma)
{
	const MmEntry *had = relative->mm;
	bool found = false;

	if (!had)
		return false;
	while (relative->next < had->n_vmas && had->vmas[relative->next]->end <= vma->start)
		relative->next++;
	for (size_t i = relative->next; i < had->n_vmas && had->vmas[i]->start < vma->end && !found; i++)
		found = had->vmas[i]->policy && had->vmas[i]->end > vma->start;
	return found;
}

int numa_queue_vma(const VmaEntry *vma, struct numa_relative *relative, struct batch *batch)
{
	struct mempolicy_args policy;
	int err;

	if (!vma->policy && !had_policy(relative, vma))
		return 0;
	err = batch_room(batch, 1, MEMPOLICY_DATA_BYTES);
	if (err)
		return err;
	policy = mempolicy_queue_data(vma->policy, batch);
	batch_must(batch, "set the memory policy of a mapping", SYS_mbind, vma->start, vma->end - vma->start,
		   policy.mode, policy.nodes.v, policy.max_node, 0);
	return 0;
}
