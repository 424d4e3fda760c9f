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

/* --- shared objects -------------------------------------------------------- */

enum need_kind { NEED_MEMFD, NEED_FILE };

struct needed_object {
	uint64_t page_bytes;
	stretches parts; /* that were there, or that mappings reserve */
};

struct needed_objects {
	const struct model *model;
	const struct image_dir *dir;
	const struct options *options;
	VEC(struct needed_object *) all; /* owned */
	struct hash by_id;		 /* (kind, id) -> object */
	struct hash remapped;		 /* file id -> object, of deleted files */
};

static void objects_free(struct needed_objects *objects)
{
	for (size_t i = 0; i < objects->all.n; i++) {
		VEC_FREE(&objects->all.data[i]->parts);
		free(objects->all.data[i]);
	}
	VEC_FREE(&objects->all);
	hash_free(&objects->by_id);
	hash_free(&objects->remapped);
}

static int add_object(struct needed_objects *objects, enum need_kind kind, uint64_t id, uint64_t shmid,
		      uint64_t page_bytes)
{
	struct needed_object *object;
	struct pagemap pages;
	int err = pagemap_read(objects->dir, IMAGE_PAGEMAP_SHMEM, shmid, objects->model->arena, &pages);

	if (err)
		return err;
	object = xalloc(sizeof(*object));
	object->page_bytes = page_bytes;
	for (size_t i = 0; i < pages.n_ranges; i++) {
		const struct page_range *range = &pages.ranges[i];

		VEC_PUSH(&object->parts,
			 ((struct stretch){ range->vaddr, range->vaddr + range->nr_pages * PAGE_BYTES }));
	}
	pagemap_close(&pages);
	VEC_PUSH(&objects->all, object);
	hash_put(&objects->by_id, kind, id, object);
	return 0;
}

static int is_attached(const struct needed_objects *objects, uint64_t shmid, bool *ret)
{
	const ExternalObjectEntry *external = external_find(objects->model, shmid);

	*ret = false;
	return external ? external_decide(external, objects->options, ret) : 0;
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

static int need_file(struct needed_objects *objects, const struct shmem_file_image *file)
{
	uint64_t page_bytes;
	bool attached;
	int err;

	if ((uint32_t)file->entry->fs_magic != FS_MAGIC_HUGETLBFS || !file->entry->n_names)
		return 0;
	err = is_attached(objects, file->id, &attached);
	if (err || attached)
		return err;
	err = place_bytes(file->entry, &page_bytes);
	return err ?: add_object(objects, NEED_FILE, file->id, file->id, page_bytes);
}

static int need_memfd(struct needed_objects *objects, const MemfdInodeEntry *memfd)
{
	bool attached;
	int err;

	if (!memfd->hugetlb_flag)
		return 0;
	err = is_attached(objects, memfd->shmid, &attached);
	if (err || attached)
		return err;
	return add_object(objects, NEED_MEMFD, memfd->inode_id, memfd->shmid, huge_flag_bytes(memfd->hugetlb_flag));
}

/* Which object does a mapping show? NULL: a file with a name, which is there, or one that is attached. */
static struct needed_object *object_of(const struct needed_objects *objects, const VmaEntry *vma)
{
	const FileEntry *file = vma->shmid <= UINT32_MAX ? model_file(objects->model, (uint32_t)vma->shmid) : NULL;

	if (file && file->memfd)
		return hash_get(&objects->by_id, NEED_MEMFD, file->memfd->inode_id);
	return file ? hash_get(&objects->remapped, file->id, 0) : NULL;
}

static void add_reserved(struct needed_objects *objects, const VmaEntry *vma)
{
	struct needed_object *object;

	if (!(vma->flags & MAP_HUGETLB) || !(vma->flags & MAP_SHARED) || vma->flags & MAP_NORESERVE ||
	    vma->status & VMA_AREA_SYSVIPC)
		return;
	object = object_of(objects, vma);
	if (object)
		VEC_PUSH(&object->parts, ((struct stretch){ vma->pgoff, vma->pgoff + (vma->end - vma->start) }));
}

static void find_reserved(struct needed_objects *objects)
{
	const struct model *model = objects->model;

	for (size_t i = 0; i < model->remaps.n; i++) {
		const RemapFilePathEntry *remap = model->remaps.data[i];
		struct needed_object *object = hash_get(&objects->by_id, NEED_FILE, remap->remap_id);

		if (remap->remap_type == REMAP_TYPE__SHMEM && object)
			hash_put(&objects->remapped, remap->orig_id, 0, object);
	}
	for (size_t i = 0; i < model->tasks.n; i++) {
		const MmEntry *mm = model->tasks.data[i].mm;

		for (size_t v = 0; mm && v < mm->n_vmas; v++)
			add_reserved(objects, mm->vmas[v]);
	}
}

/* The whole of a segment is reserved when it is made. */
static int need_segment(struct huge_needs *needs, const struct needed_objects *objects, const SysvShmEntry *segment)
{
	uint64_t page_bytes = sysvshm_page_bytes(segment);
	bool attached;
	int err;

	if (!segment->shm->hugetlb_flag ||
	    (!external_find(objects->model, segment->shmid) && sysvshm_is_there(segment)))
		return 0;
	err = is_attached(objects, segment->shmid, &attached);
	if (err || attached)
		return err;
	add_need(needs, page_bytes, sysvshm_bytes(segment) / page_bytes);
	return 0;
}

int huge_need_objects(struct huge_needs *needs, const struct model *model, const struct image_dir *dir,
		      const struct options *options)
{
	struct needed_objects objects = { .model = model, .dir = dir, .options = options };
	int err = 0;

	for (size_t i = 0; i < model->memfds.n && !err; i++)
		err = need_memfd(&objects, model->memfds.data[i]);
	for (size_t i = 0; i < model->shmem_files.n && !err; i++)
		err = need_file(&objects, &model->shmem_files.data[i]);
	if (!err && objects.all.n)
		find_reserved(&objects);
	for (size_t i = 0; i < objects.all.n && !err; i++)
		add_need(needs, objects.all.data[i]->page_bytes,
			 count_pages(&objects.all.data[i]->parts, objects.all.data[i]->page_bytes));
	for (size_t i = 0; i < model->sysv_shms.n && !err; i++)
		err = need_segment(needs, &objects, model->sysv_shms.data[i]);
	objects_free(&objects);
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
