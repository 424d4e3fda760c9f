/*
 * The order: vdso group to its place, unmap, map, advise, fill, mm fields.
 * Between relatives a private mapping is kept if it shows the same part of the
 * same object in the same way; then its pages are still shared with the
 * relative, and only those that differ are written.
 */
#include <errno.h>
#include <limits.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch.h"
#include "mem/aio.h"
#include "mem/mm-lock.h"
#include "mem/mm-restore.h"
#include "mem/mm-seal.h"
#include "mem/numa.h"
#include "mem/sysvshm-attach.h"
#include "task/mempolicy.h"
#include "util/log.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* since 6.11 */
#endif

#define OURS_TO_MOVE (VMA_AREA_VDSO | VMA_AREA_VVAR)
#define NOT_MAPPED   (OURS_TO_MOVE | VMA_AREA_VSYSCALL | VMA_AREA_GUARD)

/* Advice a fork does not pass on, or that changes what a fork passes on. */
#define LATE_ADVICE ((1UL << MADV_DONTFORK) | (1UL << MADV_WIPEONFORK))

static bool is_mapped(const VmaEntry *vma)
{
	return !(vma->status & NOT_MAPPED);
}

/* --- the vdso group --------------------------------------------------------------- */

static void queue_vdso_move(struct batch *batch, struct vdso_layout *vdso, uint64_t to)
{
	uint64_t from = vdso_layout_start(vdso);

	for (size_t i = 0; i < vdso->n_parts; i++) {
		struct vdso_part *part = &vdso->parts[i];
		uint64_t target = to + (part->start - from);

		batch_must(batch, "move the vdso", SYS_mremap, part->start, part->bytes, part->bytes,
			   MREMAP_MAYMOVE | MREMAP_FIXED, target);
		part->start = target;
	}
}

static bool same_shape(const struct vdso_layout *a, const struct vdso_layout *b)
{
	if (a->n_parts != b->n_parts)
		return false;
	for (size_t i = 0; i < a->n_parts; i++)
		if (a->parts[i].bytes != b->parts[i].bytes || a->parts[i].code != b->parts[i].code)
			return false;
	return true;
}

static int move_vdso(const struct mm_restore_args *args, struct batch *batch)
{
	struct vdso_layout wanted;
	uint64_t bytes = vdso_layout_end(args->vdso) - vdso_layout_start(args->vdso);
	uint64_t distance;
	int err = layout_image_vdso(args->image->task->mm, &wanted);

	if (err || !wanted.n_parts || vdso_layout_start(&wanted) == vdso_layout_start(args->vdso))
		return err;
	if (!same_shape(&wanted, args->vdso))
		return fail(ENOTSUP, "the image is from a kernel with another vdso (%zu mappings instead of %zu)",
			    wanted.n_parts, args->vdso->n_parts);
	err = batch_room(batch, 2 * wanted.n_parts, 0);
	if (err)
		return err;
	distance = vdso_layout_start(&wanted) > vdso_layout_start(args->vdso)
			   ? vdso_layout_start(&wanted) - vdso_layout_start(args->vdso)
			   : vdso_layout_start(args->vdso) - vdso_layout_start(&wanted);
	if (distance < bytes)
		queue_vdso_move(batch, args->vdso, args->side.v);
	queue_vdso_move(batch, args->vdso, vdso_layout_start(&wanted));
	return 0;
}

/* --- what stays ---------------------------------------------------------------------- */

/* Do the two show the same part of the same thing, protection aside? */
static bool same_object(const VmaEntry *a, const VmaEntry *b)
{
	if (a->flags != b->flags || a->status != b->status || a->madv != b->madv)
		return false;
	if (a->status & VMA_AREA_SYSVIPC && a->fdflags != b->fdflags)
		return false;
	if (a->flags & MAP_ANONYMOUS && !(a->status & VMA_ANON_SHARED))
		return true;
	return a->shmid == b->shmid && a->pgoff - a->start == b->pgoff - b->start;
}

/* A stack mapping has to be whole: its growth starts at its own lower end. */
static struct kept_range overlap(const VmaEntry *a, const VmaEntry *b)
{
	struct kept_range kept = { max_u64(a->start, b->start), min_u64(a->end, b->end) };

	if (a->flags & MAP_GROWSDOWN && a->start != b->start)
		return (struct kept_range){ 0, 0 };
	return kept.start < kept.end ? kept : (struct kept_range){ 0, 0 };
}

/* One range per mapping of the image: what the puppet has of it already. */
static struct kept_range *find_kept(const struct mm_restore_args *args)
{
	const MmEntry *mm = args->image->task->mm;
	const MmEntry *had = args->inherited ? args->inherited->task->mm : NULL;
	struct kept_range *kept = xalloc((mm->n_vmas + 1) * sizeof(*kept));

	if (!had)
		return kept;
	for (size_t i = 0, j = 0; i < mm->n_vmas; i++) {
		if (!is_mapped(mm->vmas[i]))
			continue;
		while (j < had->n_vmas && had->vmas[j]->end <= mm->vmas[i]->start)
			j++;
		for (size_t k = j; k < had->n_vmas && had->vmas[k]->start < mm->vmas[i]->end; k++) {
			const VmaEntry *vma = had->vmas[k];

			if (!is_mapped(vma) || vma->status & VMA_AREA_AIORING || !same_object(vma, mm->vmas[i]) ||
			    vma->prot != mm->vmas[i]->prot)
				continue;
			kept[i] = overlap(vma, mm->vmas[i]);
			if (kept[i].end)
				break;
		}
	}
	attachments_keep(mm, kept);
	return kept;
}

static int by_start(const void *a, const void *b)
{
	const struct kept_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Has the relative it was forked from anything there? Ranges are asked for in ascending order. */
static bool was_mapped(const MmEntry *had, size_t *cursor, uint64_t start, uint64_t end)
{
	while (*cursor < had->n_vmas && had->vmas[*cursor]->end <= start)
		++*cursor;
	return *cursor < had->n_vmas && had->vmas[*cursor]->start < end;
}

/* Unmap everything between what stays: kept ranges, the scratch area, the vdso group. */
static int queue_unmap(const struct mm_restore_args *args, const struct kept_range *kept, struct batch *batch)
{
	VEC(struct kept_range) stay = { 0 };
	const MmEntry *had = args->inherited ? args->inherited->task->mm : NULL;
	size_t n_vmas = args->image->task->mm->n_vmas, cursor = 0;
	uint64_t at = 0;
	int err = 0;

	for (size_t i = 0; i < n_vmas; i++)
		if (kept[i].end)
			VEC_PUSH(&stay, kept[i]);
	VEC_PUSH(&stay, ((struct kept_range){ args->process->scratch.v,
					      args->process->scratch.v + args->process->scratch_bytes }));
	VEC_PUSH(&stay, ((struct kept_range){ vdso_layout_start(args->vdso), vdso_layout_end(args->vdso) }));
	VEC_PUSH(&stay, ((struct kept_range){ ARCH_TASK_SIZE, ARCH_TASK_SIZE }));
	qsort(stay.data, stay.n, sizeof(*stay.data), by_start);

	for (size_t i = 0; !err && i < stay.n; i++) {
		if (stay.data[i].start > at && (!had || was_mapped(had, &cursor, at, stay.data[i].start))) {
			err = batch_room(batch, 1, 0);
			if (!err)
				batch_must(batch, "unmap what it was forked with", SYS_munmap, at,
					   stay.data[i].start - at);
		}
		at = max_u64(at, stay.data[i].end);
	}
	VEC_FREE(&stay);
	return err;
}

/* --- what is mapped -------------------------------------------------------------------- */

/* Descriptors lent to the puppet for the time of the mappings: lowest numbers, in order. */
struct lending {
	const struct mm_restore_args *args;
	struct batch *batch;
	struct hash numbers; /* our fd + 1 -> number + 1 in the puppet */
	int n;
};

static int lend(struct lending *lending, int our_fd, int *ret_number)
{
	uintptr_t known = (uintptr_t)hash_get(&lending->numbers, our_fd + 1, 0);
	int err;

	if (known) {
		*ret_number = known - 1;
		return 0;
	}
	err = batch_room(lending->batch, 1, 0);
	if (err)
		return err;
	courier_lend(lending->args->courier, lending->batch, our_fd);
	*ret_number = lending->n++;
	hash_put(&lending->numbers, our_fd + 1, 0, (void *)(uintptr_t)(*ret_number + 1));
	return 0;
}

/* mmap(2) would only say that it is not permitted. */
static int check_exec(int fd)
{
	struct statvfs fs;
	char link[32], name[PATH_MAX];
	ssize_t n;

	if (fstatvfs(fd, &fs) || !(fs.f_flag & ST_NOEXEC))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	return fail(EPERM, "%.*s is mapped as code, but its file system is mounted noexec: mount it as it was",
		    n < 0 ? 0 : (int)n, name);
}

static int vma_fd(struct lending *lending, const VmaEntry *vma, int *ret_number)
{
	int fd, err;

	*ret_number = -1;
	if (vma->status & VMA_ANON_SHARED && !(vma->status & VMA_AREA_MEMFD))
		fd = shmem_anon_fd(lending->args->shmem, vma->shmid);
	else if (vma->flags & MAP_ANONYMOUS)
		return 0;
	else
		fd = lending->args->map_fd(lending->args->map_fd_arg, vma);
	if (fd < 0)
		return fd;
	err = vma->prot & PROT_EXEC ? check_exec(fd) : 0;
	return err ?: lend(lending, fd, ret_number);
}

static uint64_t mmap_flags(const VmaEntry *vma, bool has_fd)
{
	const uint64_t known = MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE | MAP_HUGETLB |
			       MAP_DROPPABLE | (63UL << 26) /* MAP_HUGE_SHIFT */;
	uint64_t flags = vma->flags & known;

	if (has_fd)
		flags &= ~MAP_ANONYMOUS;
	/* Looked at, and refused where there is no persistent memory, only so; then the kernel knows no newer flags. */
	if (has_fd && vma->flags & MAP_SYNC)
		return flags | MAP_SYNC | MAP_SHARED_VALIDATE | MAP_FIXED;
	return flags | MAP_FIXED_NOREPLACE;
}

static int queue_map(struct lending *lending, const VmaEntry *vma, uint64_t start, uint64_t end)
{
	uint32_t prot = vma->prot;
	int err, number;

	if (start >= end)
		return 0;
	err = vma_fd(lending, vma, &number);
	if (!err)
		err = batch_room(lending->batch, 1, 0);
	if (err)
		return err;
	/*
	 * Huge pages without a file have an offset, too: it shows in /proc/PID/maps. The file the kernel makes for
	 * them reaches up to it only if they are mapped for writing; they get their protection with their pages.
	 */
	if (number < 0 && vma->flags & MAP_HUGETLB)
		prot |= PROT_WRITE;
	batch_must(lending->batch,
		   vma->flags & MAP_HUGETLB ? "map huge pages (from /proc/sys/vm/nr_hugepages)" : "map memory",
		   SYS_mmap, start, end - start, prot, mmap_flags(vma, number >= 0), number,
		   number >= 0 || vma->flags & MAP_HUGETLB ? vma->pgoff + (start - vma->start) : 0);
	return 0;
}

static int queue_advice(struct batch *batch, const VmaEntry *vma, uint64_t mask)
{
	uint64_t advice = (vma->has_madv ? vma->madv : 0) & mask;

	for (int i = 0; advice; i++, advice >>= 1) {
		if (!(advice & 1))
			continue;
		int err = batch_room(batch, 1, 0);

		if (err)
			return err;
		batch_must(batch, "repeat an madvise", SYS_madvise, vma->start, vma->end - vma->start, i);
	}
	return 0;
}

static int queue_mappings(struct lending *lending, const struct kept_range *kept)
{
	const struct task_image *task = lending->args->image->task;
	const MmEntry *mm = task->mm;
	struct numa_relative relative = { .mm = lending->args->inherited ? lending->args->inherited->task->mm : NULL };
	int err = mempolicy_queue(task->core[0], lending->batch);

	for (size_t i = 0; !err && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];

		if (!is_mapped(vma) || vma->status & (VMA_AREA_SYSVIPC | VMA_AREA_AIORING))
			continue;
		if (kept[i].end) {
			err = queue_map(lending, vma, vma->start, kept[i].start);
			if (!err)
				err = queue_map(lending, vma, kept[i].end, vma->end);
		} else {
			err = queue_map(lending, vma, vma->start, vma->end);
		}
		if (!err && !(kept[i].start == vma->start && kept[i].end == vma->end))
			err = queue_advice(lending->batch, vma, ~LATE_ADVICE);
		if (!err)
			err = numa_queue_vma(vma, &relative, lending->batch);
	}
	return err;
}

/* Last: they can be put together anywhere else, and what is mapped keeps the kernel from choosing its place. */
static int queue_attachments(struct lending *lending, const struct kept_range *kept)
{
	const MmEntry *mm = lending->args->image->task->mm;
	attachment_list list = { 0 };
	int err = 0;

	attachments_find(mm, &list);
	for (size_t i = 0; i < list.n && !err; i++) {
		const struct attachment *attachment = &list.data[i];

		if (kept[attachment->vmas.data[0]].end)
			continue;
		err = attachment_make(attachment, lending->args->shmem, mm, lending->batch);
		for (size_t v = 0; v < attachment->vmas.n && !err; v++)
			err = queue_advice(lending->batch, mm->vmas[attachment->vmas.data[v]], ~LATE_ADVICE);
	}
	attachments_free(&list);
	return err;
}

/* --- pages and fields ------------------------------------------------------------------- */

static int lend_pages(void *arg, struct batch *batch)
{
	struct lending *lending = arg;

	courier_lend(lending->args->courier, batch, lending->args->image->pagemap.pages_fd);
	return lending->n++;
}

static int fill_pages(struct lending *lending, const struct kept_range *kept)
{
	const struct mm_restore_args *args = lending->args;
	int err = batch_run(lending->batch);

	if (err)
		return err;
	return pages_restore(&(struct pages_restore_args){
		.process = args->process,
		.image = args->image,
		.inherited = args->inherited,
		.kept = args->inherited ? kept : NULL,
		.lend_pages = lend_pages,
		.lend_arg = lending,
		.stats = args->stats,
	});
}

/* Relatives have them from their fork, as a rule. */
static bool same_mm_fields(const MmEntry *a, const MmEntry *b)
{
	return a->mm_start_code == b->mm_start_code && a->mm_end_code == b->mm_end_code &&
	       a->mm_start_data == b->mm_start_data && a->mm_end_data == b->mm_end_data &&
	       a->mm_start_stack == b->mm_start_stack && a->mm_start_brk == b->mm_start_brk && a->mm_brk == b->mm_brk &&
	       a->mm_arg_start == b->mm_arg_start && a->mm_arg_end == b->mm_arg_end &&
	       a->mm_env_start == b->mm_env_start && a->mm_env_end == b->mm_env_end &&
	       a->n_mm_saved_auxv == b->n_mm_saved_auxv &&
	       !memcmp(a->mm_saved_auxv, b->mm_saved_auxv, a->n_mm_saved_auxv * sizeof(*a->mm_saved_auxv));
}

static int queue_mm_fields(struct lending *lending)
{
	const struct mm_restore_args *args = lending->args;
	const MmEntry *mm = args->image->task->mm;
	size_t auxv_bytes = mm->n_mm_saved_auxv * sizeof(uint64_t);
	struct batch *batch = lending->batch;
	int err, exe = -1;

	if (args->inherited && args->exe_fd < 0 && same_mm_fields(mm, args->inherited->task->mm))
		return 0;
	if (args->exe_fd >= 0) {
		err = lend(lending, args->exe_fd, &exe);
		if (err)
			return err;
	}
	err = batch_room(batch, 2, sizeof(struct prctl_mm_map) + auxv_bytes + 64);
	if (err)
		return err;
	struct prctl_mm_map map = {
		.start_code = mm->mm_start_code,
		.end_code = mm->mm_end_code,
		.start_data = mm->mm_start_data,
		.end_data = mm->mm_end_data,
		.start_brk = mm->mm_start_brk,
		.brk = mm->mm_brk,
		.start_stack = mm->mm_start_stack,
		.arg_start = mm->mm_arg_start,
		.arg_end = mm->mm_arg_end,
		.env_start = mm->mm_env_start,
		.env_end = mm->mm_env_end,
		.auxv = auxv_bytes ? (void *)batch_data(batch, mm->mm_saved_auxv, auxv_bytes).v : NULL,
		.auxv_size = auxv_bytes,
		.exe_fd = exe,
	};

	batch_must(batch, "set the fields of its mm", SYS_prctl, PR_SET_MM, PR_SET_MM_MAP,
		   batch_data(batch, &map, sizeof(map)).v, sizeof(map));
	return 0;
}

static int queue_return(struct lending *lending)
{
	int err = lending->n ? batch_room(lending->batch, 1, 0) : 0;

	if (!err && lending->n)
		batch_must(lending->batch, "close the files it mapped", SYS_close_range, 0, lending->n - 1, 0);
	return err;
}

int mm_restore(const struct mm_restore_args *args)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	struct lending lending = { .args = args };
	auto_free struct kept_range *kept = find_kept(args);
	int err;

	err = batch_new(args->process->driver, &batch);
	lending.batch = batch;
	/* The group may come to lie on what the puppet was forked with: unmap first, around its present place. */
	if (!err)
		err = queue_unmap(args, kept, batch);
	if (!err)
		err = move_vdso(args, batch);
	if (!err)
		err = queue_mappings(&lending, kept);
	if (!err)
		err = queue_attachments(&lending, kept);
	if (!err)
		err = fill_pages(&lending, kept);
	if (!err)
		err = aio_restore(args->process, args->image, batch);
	if (!err)
		err = queue_mm_fields(&lending);
	if (!err)
		err = queue_return(&lending);
	if (!err)
		err = batch_run(batch);
	hash_free(&lending.numbers);
	return err;
}

int mm_settle(struct remote_process *process, const MmEntry *mm)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int err = batch_new(process->driver, &batch);

	for (size_t i = 0; !err && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];

		if (!is_mapped(vma))
			continue;
		err = queue_advice(batch, vma, LATE_ADVICE);
		if (!err && vma->flags & MAP_LOCKED) {
			err = batch_room(batch, 1, 0);
			if (!err)
				batch_must(batch, "lock its memory again", SYS_mlock2, vma->start,
					   vma->end - vma->start, vma->status & VMA_LOCKED_ONFAULT ? MLOCK_ONFAULT : 0);
		}
	}
	if (!err)
		err = mm_lock_settle(mm, batch) ?: mm_seal_settle(mm, batch);
	return err ? err : batch_run(batch);
}
