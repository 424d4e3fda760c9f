/*
 * What a restore takes from the pools of huge pages, counted before anything is made. The kernel gives pages when
 * they are first touched and promises them (reserves) when they are mapped without MAP_NORESERVE. A lower bound:
 * a forked task needs pages of its own also where it has written other bytes than its parent, and files with
 * names may lack pages that their mappings reserve. Should it come to that, mapping or filling fails, without harm.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "image/vma-status.h"
#include "kernel/hugepages.h"
#include "kernel/path.h"
#include "mem/external.h"
#include "mem/huge.h"
#include "mem/page-walk.h"
#include "mem/sysvshm.h"
#include "util/log.h"

/* Part of an object, in bytes. */
struct stretch {
	uint64_t start, end;
};

typedef VEC(struct stretch) stretches;

static void add_need(struct huge_needs *needs, uint64_t page_bytes, uint64_t pages)
{
	struct huge_need *need;

	for (size_t i = 0; i < needs->sizes.n; i++) {
		if (needs->sizes.data[i].page_bytes != page_bytes)
			continue;
		needs->sizes.data[i].pages += pages;
		return;
	}
	need = VEC_ADD(&needs->sizes);
	need->page_bytes = page_bytes;
	need->pages = pages;
}

void huge_needs_free(struct huge_needs *needs)
{
	VEC_FREE(&needs->sizes);
}

int huge_needs_check(const struct huge_needs *needs)
{
	for (size_t i = 0; i < needs->sizes.n; i++) {
		const struct huge_need *need = &needs->sizes.data[i];
		struct huge_pool pool;
		int err = huge_pool_read(need->page_bytes, &pool);

		if (err)
			return err;
		if (need->pages > huge_pool_available(&pool))
			return huge_pool_fail(&pool, "huge page memory of the images", need->pages);
	}
	return 0;
}

/* --- shared objects -------------------------------------------------------- */

enum need_kind { NEED_MEMFD, NEED_FILE, NEED_SYSV };

/* Which object does a mapping show? False: a file with a name, which is there, or nothing known. */
static bool object_of(const struct model *model, const VmaEntry *vma, enum need_kind *ret_kind, uint64_t *ret_id)
{
	const FileEntry *file;

	if (vma->status & VMA_AREA_SYSVIPC) {
		*ret_kind = NEED_SYSV;
		*ret_id = vma->shmid;
		return true;
	}
	file = vma->shmid <= UINT32_MAX ? model_file(model, (uint32_t)vma->shmid) : NULL;
	if (file && file->memfd) {
		*ret_kind = NEED_MEMFD;
		*ret_id = file->memfd->inode_id;
		return true;
	}
	for (size_t i = 0; file && i < model->remaps.n; i++) {
		const RemapFilePathEntry *remap = model->remaps.data[i];

		if (remap->orig_id != file->id || remap->remap_type != REMAP_TYPE__SHMEM)
			continue;
		*ret_kind = NEED_FILE;
		*ret_id = remap->remap_id;
		return true;
	}
	return false;
}

static void add_reserved(const struct model *model, enum need_kind kind, uint64_t id, stretches *ret)
{
	for (size_t i = 0; i < model->tasks.n; i++) {
		const MmEntry *mm = model->tasks.data[i].mm;

		for (size_t v = 0; mm && v < mm->n_vmas; v++) {
			const VmaEntry *vma = mm->vmas[v];
			enum need_kind its_kind;
			uint64_t its_id;

			if (!(vma->flags & MAP_HUGETLB) || !(vma->flags & MAP_SHARED) || vma->flags & MAP_NORESERVE)
				continue;
			if (object_of(model, vma, &its_kind, &its_id) && its_kind == kind && its_id == id)
				VEC_PUSH(ret, ((struct stretch){ vma->pgoff, vma->pgoff + (vma->end - vma->start) }));
		}
	}
}

static int by_start(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* In pages of @page_bytes, each once. */
static uint64_t count_pages(stretches *parts, uint64_t page_bytes)
{
	uint64_t n = 0, counted = 0;

	if (parts->n)
		qsort(parts->data, parts->n, sizeof(*parts->data), by_start);
	for (size_t i = 0; i < parts->n; i++) {
		uint64_t start = max_u64(counted, parts->data[i].start / page_bytes);
		uint64_t end = (parts->data[i].end + page_bytes - 1) / page_bytes;

		if (start < end)
			n += end - start;
		counted = max_u64(counted, end);
	}
	return n;
}

struct needed_object {
	enum need_kind kind;
	uint64_t id, shmid;
	uint64_t page_bytes;
};

static int add_object(struct huge_needs *needs, const struct model *model, const struct image_dir *dir,
		      const struct needed_object *object)
{
	struct pagemap pages;
	stretches parts = { 0 };
	int err = pagemap_read(dir, IMAGE_PAGEMAP_SHMEM, object->shmid, model->arena, &pages);

	if (err)
		return err;
	for (size_t i = 0; i < pages.n_ranges; i++)
		VEC_PUSH(&parts, ((struct stretch){ pages.ranges[i].vaddr,
						    pages.ranges[i].vaddr + pages.ranges[i].nr_pages * PAGE_BYTES }));
	pagemap_close(&pages);
	add_reserved(model, object->kind, object->id, &parts);
	add_need(needs, object->page_bytes, count_pages(&parts, object->page_bytes));
	VEC_FREE(&parts);
	return 0;
}

static int is_attached(const struct model *model, uint64_t shmid, const struct options *options, bool *ret)
{
	const ExternalObjectEntry *external = external_find(model, shmid);

	*ret = false;
	return external ? external_decide(external, options, ret) : 0;
}

/* The page size of the hugetlbfs that @path is or was on. */
static int place_bytes(const ShmemFileEntry *file, uint64_t *ret)
{
	uint64_t was = file->has_huge_page_bytes ? file->huge_page_bytes : 0;
	auto_free char *dir = xstrdup(file->names[0]);
	char *slash;

	*ret = 0;
	while ((slash = strrchr(dir, '/'))) {
		auto_fd int fd = -1;

		*slash = '\0';
		fd = path_open(*dir ? dir : "/", O_PATH | O_DIRECTORY);
		if (fd < 0)
			continue;
		*ret = huge_fd_bytes(fd);
		break;
	}
	if (!*ret)
		return fail(ENODEV,
			    "%s: was on a hugetlbfs, and %s is on none now: mount it again (-o pagesize=%lluK), for no "
			    "other file system has such pages",
			    file->names[0], *dir ? dir : "/", (unsigned long long)was / 1024);
	if (was && was != *ret)
		return fail(ENODEV, "%s: was on a hugetlbfs with pages of %llu kB; what is mounted now has %llu kB",
			    file->names[0], (unsigned long long)was / 1024, (unsigned long long)*ret / 1024);
	return 0;
}

static int need_file(struct huge_needs *needs, const struct model *model, const struct image_dir *dir,
		     const struct options *options, const struct shmem_file_image *file)
{
	struct needed_object object = { .kind = NEED_FILE, .id = file->id, .shmid = file->id };
	bool attached;
	int err;

	if ((uint32_t)file->entry->fs_magic != FS_MAGIC_HUGETLBFS || !file->entry->n_names)
		return 0;
	err = is_attached(model, file->id, options, &attached);
	if (err || attached)
		return err;
	err = place_bytes(file->entry, &object.page_bytes);
	return err ?: add_object(needs, model, dir, &object);
}

static int need_memfd(struct huge_needs *needs, const struct model *model, const struct image_dir *dir,
		      const struct options *options, const MemfdInodeEntry *memfd)
{
	struct needed_object object = { .kind = NEED_MEMFD, .id = memfd->inode_id, .shmid = memfd->shmid };
	bool attached;
	int err;

	if (!memfd->hugetlb_flag)
		return 0;
	err = is_attached(model, memfd->shmid, options, &attached);
	if (err || attached)
		return err;
	object.page_bytes = huge_flag_bytes(memfd->hugetlb_flag);
	if (!object.page_bytes)
		return fail(EINVAL, "memfd \"%s\": huge pages of no possible size (%#x)", memfd->name,
			    memfd->hugetlb_flag);
	return add_object(needs, model, dir, &object);
}

/* The whole of a segment is reserved when it is made. */
static int need_segment(struct huge_needs *needs, const SysvShmEntry *segment)
{
	uint64_t page_bytes = sysvshm_page_bytes(segment);

	if (!segment->shm->hugetlb_flag || sysvshm_is_there(segment))
		return 0;
	if (!page_bytes)
		return fail(EINVAL, "System V segment %u: huge pages of no possible size (%#x)", segment->shm->desc->id,
			    segment->shm->hugetlb_flag);
	add_need(needs, page_bytes, sysvshm_bytes(segment) / page_bytes);
	return 0;
}

int huge_need_objects(struct huge_needs *needs, const struct model *model, const struct image_dir *dir,
		      const struct options *options)
{
	int err = 0;

	for (size_t i = 0; i < model->memfds.n && !err; i++)
		err = need_memfd(needs, model, dir, options, model->memfds.data[i]);
	for (size_t i = 0; i < model->shmem_files.n && !err; i++)
		err = need_file(needs, model, dir, options, &model->shmem_files.data[i]);
	for (size_t i = 0; i < model->sysv_shms.n && !err; i++)
		err = need_segment(needs, model->sysv_shms.data[i]);
	return err;
}

/* --- private mappings ------------------------------------------------------ */

static bool any_page(struct page_cursor *cursor, uint64_t start, uint64_t end)
{
	struct page_run run;

	for (; start < end; start = run.end)
		if (page_cursor_at(cursor, start, end, &run))
			return true;
	return false;
}

static bool inherits(const struct mm_image *inherited, const VmaEntry *vma)
{
	const MmEntry *mm = inherited ? inherited->task->mm : NULL;

	for (size_t i = 0; mm && i < mm->n_vmas; i++)
		if (mm->vmas[i]->flags == vma->flags && mm->vmas[i]->start < vma->end && mm->vmas[i]->end > vma->start)
			return true;
	return false;
}

static uint64_t count_private(const struct mm_image *image, const struct mm_image *inherited, const VmaEntry *vma,
			      uint64_t page_bytes)
{
	bool kept = inherits(inherited, vma);
	struct page_cursor cursor = { .map = &image->pagemap };
	struct page_cursor had = { .map = kept ? &inherited->pagemap : NULL };
	uint64_t n = 0;

	if (!kept && !(vma->flags & MAP_NORESERVE))
		return (vma->end - vma->start) / page_bytes;
	for (uint64_t at = vma->start; at < vma->end; at += page_bytes) {
		struct page_run run;

		/* Far to the next page, as a rule. */
		if (!page_cursor_at(&cursor, at, vma->end, &run) && run.end - at >= page_bytes) {
			at += (run.end - at) / page_bytes * page_bytes - page_bytes;
			continue;
		}
		n += any_page(&cursor, at, at + page_bytes) && !(kept && any_page(&had, at, at + page_bytes));
	}
	return n;
}

void huge_need_private(struct huge_needs *needs, const struct mm_image *image, const struct mm_image *inherited)
{
	const MmEntry *mm = image->task->mm;

	for (size_t i = 0; mm && i < mm->n_vmas; i++) {
		const VmaEntry *vma = mm->vmas[i];
		uint64_t page_bytes = vma->flags & MAP_HUGETLB ? huge_flag_bytes(vma->flags) : 0;

		if (page_bytes && vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE))
			add_need(needs, page_bytes, count_private(image, inherited, vma, page_bytes));
	}
}
