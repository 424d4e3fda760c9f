#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "arch.h"
#include "kernel/proc.h"
#include "image/pages.h"
#include "mem/layout.h"
#include "mem/page-walk.h"
#include "mem/vma.h"
#include "util/log.h"

struct span {
	uint64_t start, end;
};

typedef VEC(struct span) span_list;

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Below this address mmap(2) asks for a privilege. */
#define LOWEST_HOLE (1UL << 20)

static int first_gap(span_list *spans, uint64_t bytes, uint64_t *ret_start)
{
	uint64_t at = LOWEST_HOLE;

	if (spans->n)
		qsort(spans->data, spans->n, sizeof(*spans->data), by_start);
	for (size_t i = 0; i < spans->n; i++) {
		if (spans->data[i].start >= at && spans->data[i].start - at >= bytes)
			break;
		at = max_u64(at, spans->data[i].end);
	}
	if (at + bytes > ARCH_TASK_SIZE)
		return fail(ENOMEM, "the tasks leave no hole of %lu bytes that all of them have free", bytes);
	*ret_start = at;
	return 0;
}

/* Room that grows-down mappings may take while the task is built. */
#define GUARD_BYTES (1UL << 20)

int layout_find_hole(const struct model *model, uint64_t bytes, uint64_t *ret_start)
{
	span_list spans = { 0 };
	proc_maps own = { 0 };
	int err = proc_read_maps(getpid(), false, &own);

	for (size_t i = 0; !err && i < own.n; i++)
		VEC_PUSH(&spans, ((struct span){ own.data[i].start, own.data[i].end + GUARD_BYTES }));
	for (size_t i = 0; i < model->tasks.n; i++) {
		const MmEntry *mm = model->tasks.data[i].mm;

		for (size_t j = 0; mm && j < mm->n_vmas; j++) {
			uint64_t start = mm->vmas[j]->start;

			VEC_PUSH(&spans, ((struct span){ start > GUARD_BYTES ? start - GUARD_BYTES : 0,
							 mm->vmas[j]->end + GUARD_BYTES }));
		}
	}
	if (!err)
		err = first_gap(&spans, bytes, ret_start);
	proc_maps_free(&own);
	VEC_FREE(&spans);
	return err;
}

static int add_part(struct vdso_layout *layout, uint64_t start, uint64_t bytes, bool code)
{
	if (layout->n_parts && vdso_layout_end(layout) != start)
		return fail(ENOTSUP, "the vvar and vdso mappings are not side by side");
	if (layout->n_parts == ARRAY_SIZE(layout->parts))
		return fail(ENOTSUP, "more vvar mappings than known");
	layout->parts[layout->n_parts++] = (struct vdso_part){ start, bytes, code };
	return 0;
}

int layout_own_vdso(struct vdso_layout *ret)
{
	proc_maps maps = { 0 };
	int err = proc_read_maps(getpid(), false, &maps);

	ret->n_parts = 0;
	for (size_t i = 0; !err && i < maps.n; i++) {
		const struct proc_map *map = &maps.data[i];

		if (!strcmp(map->name, "[vdso]") || !strncmp(map->name, "[vvar", 5))
			err = add_part(ret, map->start, map->end - map->start, map->name[2] == 'd');
	}
	proc_maps_free(&maps);
	return err;
}

int layout_image_vdso(const MmEntry *mm, struct vdso_layout *ret)
{
	int err = 0;

	ret->n_parts = 0;
	for (size_t i = 0; !err && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];

		if (vma->status & (VMA_AREA_VDSO | VMA_AREA_VVAR))
			err = add_part(ret, vma->start, vma->end - vma->start, vma->status & VMA_AREA_VDSO);
	}
	return err;
}

/* Up to the section headers, which come last: what lies behind is no part of it. */
static size_t own_vdso(const uint8_t **ret)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);

	*ret = (const uint8_t *)elf;
	return elf ? elf->e_shoff + elf->e_shnum * sizeof(Elf64_Shdr) : 0;
}

static int compare_vdso(const VmaEntry *vma, const struct pagemap *pages)
{
	struct page_cursor cursor = { .map = pages };
	const uint8_t *own;
	size_t bytes = own_vdso(&own);
	struct page_run run;
	uint8_t page[PAGE_BYTES];

	for (uint64_t at = vma->start; at < vma->end && at - vma->start < bytes; at += PAGE_BYTES) {
		size_t n = min_u64(PAGE_BYTES, bytes - (at - vma->start));

		if (!page_cursor_at(&cursor, at, vma->end, &run))
			continue;
		if (pread(pages->pages_fd, page, sizeof(page), (off_t)run.file_offset) != sizeof(page))
			return fail_errno("cannot read the vdso in the image");
		if (memcmp(page, own + (at - vma->start), n))
			return fail(ENOTSUP,
				    "the image is from a kernel with another vdso: restore it under that kernel");
	}
	return 0;
}

int layout_check_vdso(const MmEntry *mm, const struct pagemap *pages)
{
	for (size_t i = 0; i < mm->n_vmas; i++)
		if (mm->vmas[i]->status & VMA_AREA_VDSO)
			return compare_vdso(mm->vmas[i], pages);
	return 0;
}
