/*
 * Content and metadata of shared objects. The content is read through a descriptor of the object, never through a
 * mapping: whether a page is there is a property of the object (some task wrote it, or it is swapped
 * out), and reading a hole through a mapping would allocate it. Nothing is read per holder.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/hugepages.h"
#include "mem/page-zero.h"
#include "mem/carried.h"
#include "mem/external.h"
#include "mem/huge.h"
#include "mem/numa.h"
#include "mem/object-read.h"
#include "mem/overlay.h"
#include "mem/shmem.h"
#include "mem/sysvshm.h"
#include "mem/tmpfs.h"
#include "mem/xattrs.h"
#include "util/log.h"

/* All objects, for the time of shmem_dump(). */
struct objects_dump {
	struct model *model;
	struct page_pipeline *pipeline;
	struct shmem_dump_stats *stats;
	struct tmpfs_mounts mounts;
};

struct object_dump {
	const struct inode *inode;
	const struct object_reader *reader;
	struct page_writer *writer;
	char *chunk; /* PAGE_BUFFER_BYTES, for chunks with zero pages in them */
	struct shmem_dump_stats *stats;
	bool keep_first; /* of each huge page: it stands for the page, which is there although all zero */
};

/* @nr_pages pages of @pages belong at @offset: copy them to where the writer wants them. */
static int add_run(struct object_dump *dump, const char *pages, uint64_t offset, uint64_t nr_pages)
{
	while (nr_pages) {
		void *room;
		size_t bytes;
		uint64_t part;
		int err = page_writer_room(dump->writer, &room, &bytes);

		if (err)
			return err;
		part = min_u64(nr_pages, bytes / PAGE_BYTES);
		memcpy(room, pages, part * PAGE_BYTES);
		err = page_writer_add(dump->writer, offset, part);
		if (err)
			return err;
		pages += part * PAGE_BYTES;
		offset += part * PAGE_BYTES;
		nr_pages -= part;
	}
	return 0;
}

static bool may_drop(const struct object_dump *dump, const char *page, uint64_t offset)
{
	return page_is_zero(page) && !(dump->keep_first && offset % dump->inode->huge_bytes == 0);
}

/* The pages of @chunk that are not all zero. */
static int add_nonzero_runs(struct object_dump *dump, const char *chunk, uint64_t offset, uint64_t nr_pages)
{
	uint64_t start = 0;
	int err = 0;

	for (uint64_t i = 0; i <= nr_pages && !err; i++) {
		if (i < nr_pages && !may_drop(dump, chunk + i * PAGE_BYTES, offset + i * PAGE_BYTES))
			continue;
		err = add_run(dump, chunk + start * PAGE_BYTES, offset + start * PAGE_BYTES, i - start);
		start = i + 1;
	}
	return err;
}

static bool may_drop_any(const struct object_dump *dump, const char *chunk, uint64_t offset, uint64_t nr_pages)
{
	for (uint64_t i = 0; i < nr_pages; i++)
		if (may_drop(dump, chunk + i * PAGE_BYTES, offset + i * PAGE_BYTES))
			return true;
	return false;
}

/* Bytes [@start, @end) hold data; @start is page-aligned. */
static int dump_extent(struct object_dump *dump, uint64_t start, uint64_t end)
{
	while (start < end) {
		uint64_t nr_pages;
		size_t bytes;
		void *room;
		int err;

		err = page_writer_room(dump->writer, &room, &bytes);
		if (err)
			return err;
		bytes = min_u64(min_u64(bytes, PAGE_BUFFER_BYTES), end - start);
		err = object_read(dump->reader, room, bytes, start);
		if (err)
			return err;
		nr_pages = round_up_pages(bytes) / PAGE_BYTES;
		dump->stats->pages_scanned += nr_pages;
		if (may_drop_any(dump, room, start, nr_pages)) {
			memcpy(dump->chunk, room, nr_pages * PAGE_BYTES);
			err = add_nonzero_runs(dump, dump->chunk, start, nr_pages);
		} else {
			err = page_writer_add(dump->writer, start, nr_pages);
		}
		if (err)
			return err;
		start += nr_pages * PAGE_BYTES;
	}
	return 0;
}

static int dump_extents(struct object_dump *dump)
{
	uint64_t size = dump->inode->st.st_size, start, end = 0;

	while (end < size) {
		int err = object_next_data(dump->reader, end, &start, &end);

		if (err <= 0)
			return err;
		err = dump_extent(dump, start, min_u64(size, end));
		if (err)
			return err;
	}
	return 0;
}

static int dump_if_there(struct object_dump *dump, const struct huge_scan *scan, uint64_t offset)
{
	int there = huge_scan_has(scan, offset);

	return there <= 0 ? there : dump_extent(dump, offset, offset + dump->inode->huge_bytes);
}

/*
 * A huge page that is there is taken from the pool for good, also if it is all zero, and its owner counts on it. Without
 * a way to see which are there, it can be told from their number whether all are.
 */
static int dump_huge(struct object_dump *dump)
{
	const struct inode *inode = dump->inode;
	uint64_t size = inode->st.st_size, there = (uint64_t)inode->st.st_blocks * 512;
	struct huge_scan *scan;
	int err = 0;

	if (!there)
		return 0;
	scan = huge_scan_open(dump->reader->fd, inode->huge_bytes, size);
	dump->keep_first = scan || there == size;
	if (!dump->keep_first)
		pr_warn("%s: this kernel does not tell which of its huge pages are there: those of zeros may be "
			"missing "
			"from the pool after the restore",
			inode->name);
	if (!scan)
		return dump_extent(dump, 0, size);
	for (uint64_t offset = 0; offset < size && !err; offset += inode->huge_bytes)
		err = dump_if_there(dump, scan, offset);
	huge_scan_close(scan);
	return err;
}

static int dump_pages(const struct inode *inode, const struct object_reader *reader, struct objects_dump *objects)
{
	struct shmem_dump_stats *stats = objects->stats;
	auto_free char *chunk = xalloc(PAGE_BUFFER_BYTES);
	struct object_dump dump = { .inode = inode, .reader = reader, .chunk = chunk, .stats = stats };
	MempolicyRangeEntry **policies;
	size_t n_policies;
	uint64_t written;
	int err;

	err = page_writer_open(objects->pipeline, IMAGE_PAGEMAP_SHMEM, inode->id, &dump.writer);
	if (err)
		return err;
	numa_find_ranges(inode, objects->model->arena, &policies, &n_policies);
	page_writer_set_policies(dump.writer, policies, n_policies);
	err = inode->huge_bytes ? dump_huge(&dump) : dump_extents(&dump);
	if (err) {
		page_writer_abort(dump.writer);
		return err;
	}
	err = page_writer_close(dump.writer, &written);
	if (err)
		return err;
	stats->pages_written += written;
	pr_debug("%s: object %u: %lld bytes, %llu pages written", inode->name, inode->id, (long long)inode->st.st_size,
		 (unsigned long long)written);
	return 0;
}

/* --- metadata ---------------------------------------------------------------- */

static ShmemFileTime *new_time(struct model *model, const struct timespec *time)
{
	ShmemFileTime *entry = model_new(model, ShmemFileTime, shmem_file_time__init);

	entry->sec = time->tv_sec;
	entry->nsec = time->tv_nsec;
	return entry;
}

static int add_memfd(const struct inode *inode, int fd, struct model *model)
{
	MemfdInodeEntry *entry = model_new(model, MemfdInodeEntry, memfd_inode_entry__init);
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0)
		return fail_errno("%s: read the seals", inode->name);
	/* As mainline has it: anonymous memory of huge pages is a memfd of a name that says so. */
	entry->name =
		arena_strdup(model->arena, inode->name + (strcmp(inode->name, HUGE_ANON_NAME) ? strlen("/memfd:") : 0));
	if (inode->huge_bytes) {
		entry->has_hugetlb_flag = true;
		entry->hugetlb_flag = MFD_HUGETLB | huge_size_flag(inode->huge_bytes);
	}
	entry->uid = inode->st.st_uid;
	entry->gid = inode->st.st_gid;
	entry->size = inode->st.st_size;
	entry->shmid = inode->id;
	entry->inode_id = inode->id;
	entry->seals = seals;
	entry->has_mode = true;
	entry->mode = inode->st.st_mode;
	entry->atim = new_time(model, &inode->st.st_atim);
	entry->mtim = new_time(model, &inode->st.st_mtim);
	VEC_PUSH(&model->memfds, entry);
	return xattrs_read(fd, inode->name, model->arena, &entry->xattrs, &entry->n_xattrs);
}

static void add_name(ShmemFileEntry *entry, const char *name)
{
	for (size_t i = 0; i < entry->n_names; i++)
		if (!strcmp(entry->names[i], name))
			return;
	entry->names[entry->n_names++] = (char *)name;
}

static void add_names(const struct inode *inode, struct model *model, ShmemFileEntry *entry)
{
	/* Those of a carried file are known only when all links are made. */
	if (inode->carry)
		return;
	entry->names = arena_array(model->arena, char *, inode->remap_files.n + 1);
	for (size_t i = 0; i < inode->remap_files.n; i++)
		add_name(entry, inode->remap_files.data[i]->reg->name);
	if (!entry->n_names)
		entry->names[entry->n_names++] = arena_strdup(model->arena, inode->name);
}

static void add_file_system(const struct inode *inode, struct objects_dump *objects, ShmemFileEntry *entry)
{
	const struct proc_mount *mount = tmpfs_mount_of(&objects->mounts, inode->st.st_dev);
	auto_free char *options = NULL;

	entry->fs_magic = inode->fs_magic;
	entry->has_huge_page_bytes = inode->huge_bytes;
	entry->huge_page_bytes = inode->huge_bytes;
	if (!mount)
		return;
	/* For a reader who wants to know; the magic is what restore compares. */
	entry->fs_type = arena_strdup(objects->model->arena, mount->fstype);
	entry->fs_source = arena_strdup(objects->model->arena, mount->source);
	if (inode->fs_magic != FS_MAGIC_TMPFS)
		return;
	options = tmpfs_options(mount->super_options);
	entry->fs_options = arena_strdup(objects->model->arena, options);
}

/* Its next dump is to know what it is. */
static void mark_lower(struct model *model, ShmemFileEntry *entry)
{
	ShmemFileXattr *mark = model_new(model, ShmemFileXattr, shmem_file_xattr__init);
	ShmemFileXattr **xattrs = arena_array(model->arena, ShmemFileXattr *, entry->n_xattrs + 1);

	mark->name = arena_strdup(model->arena, OVERLAY_LOWER_XATTR);
	if (entry->n_xattrs)
		memcpy(xattrs, entry->xattrs, entry->n_xattrs * sizeof(*xattrs));
	xattrs[entry->n_xattrs++] = mark;
	entry->xattrs = xattrs;
}

static int new_shmem_file(const struct inode *inode, int fd, struct objects_dump *objects, ShmemFileEntry **ret)
{
	struct model *model = objects->model;
	ShmemFileEntry *entry = model_new(model, ShmemFileEntry, shmem_file_entry__init);
	int err;

	*ret = entry;
	entry->size = inode->st.st_size;
	entry->mode = inode->st.st_mode;
	entry->uid = inode->st.st_uid;
	entry->gid = inode->st.st_gid;
	entry->atim = new_time(model, &inode->st.st_atim);
	entry->mtim = new_time(model, &inode->st.st_mtim);
	entry->ctim = new_time(model, &inode->st.st_ctim);
	add_names(inode, model, entry);
	add_file_system(inode, objects, entry);
	err = xattrs_read(fd, inode->name, model->arena, &entry->xattrs, &entry->n_xattrs);
	if (!err && inode->is_lower)
		mark_lower(model, entry);
	return err;
}

static int add_shmem_file(const struct inode *inode, int fd, struct objects_dump *objects)
{
	struct shmem_file_image *image = VEC_ADD(&objects->model->shmem_files);

	image->id = inode->id;
	return new_shmem_file(inode, fd, objects, &image->entry);
}

static int add_carried_file(struct inode *inode, int fd, struct objects_dump *objects)
{
	ShmemFileEntry *file;
	int err = new_shmem_file(inode, fd, objects, &file);

	if (!err)
		carried_add(inode, file, objects->model);
	return err;
}

/* The kernel may have finished a write of a stopped task (AIO, io_uring) after the plan. */
static int refresh(struct inode *inode)
{
	if (inode->is_lower)
		return overlay_find_size(inode);
	if (fstat(inode->fd, &inode->st))
		return fail_errno("%s: fstat", inode->name);
	return 0;
}

static int dump_content_and_metadata(struct inode *inode, const struct object_reader *reader,
				     struct objects_dump *objects)
{
	struct model *model = objects->model;
	int fd = reader->fd, err = 0;

	/* The content of what is attached again stays with those who live, and so does its policy. */
	if (!inode->attached)
		err = dump_pages(inode, reader, objects);
	if (!err && (inode->outsiders.n || inode->attached))
		err = external_add(inode, model);
	if (!err && inode->kind == INODE_MEMFD)
		err = add_memfd(inode, fd, model);
	if (!err && inode->kind == INODE_FILE)
		err = inode->carry ? add_carried_file(inode, fd, objects) : add_shmem_file(inode, fd, objects);
	if (!err && inode->kind == INODE_SYSV)
		err = sysvshm_dump(inode, model);
	return err;
}

static int dump_object(struct inode *inode, struct objects_dump *objects)
{
	struct object_reader reader;
	int err;

	LOG_SCOPE("shared object", inode->id);
	err = refresh(inode) ?: object_reader_open(inode, &reader);
	if (err)
		return err;
	err = dump_content_and_metadata(inode, &reader, objects);
	object_reader_close(&reader);
	return err;
}

int shmem_dump(struct inodes *inodes, struct model *model, struct page_pipeline *pipeline,
	       struct shmem_dump_stats *stats)
{
	struct objects_dump objects = { .model = model, .pipeline = pipeline, .stats = stats };
	int err = 0;

	for (size_t i = 0; i < inodes->all.n && !err; i++)
		if (shmem_is_object(inodes->all.data[i]) || inodes->all.data[i]->carry)
			err = dump_object(inodes->all.data[i], &objects);
	tmpfs_mounts_free(&objects.mounts);
	return err;
}
