/*
 * Shared objects, each made and filled once, before there is any task. What must come after the holders are
 * attached (seals, times) is left to shmem_settle().
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "image/vma-status.h"
#include "kernel/hugepages.h"
#include "mem/external.h"
#include "mem/huge.h"
#include "mem/memfd-seals.h"
#include "mem/remap.h"
#include "mem/shmem-fill.h"
#include "mem/sysvshm.h"
#include "mem/tmpfs.h"
#include "mem/xattrs.h"
#include "util/log.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#define MFD_EXEC	0x0010U
#endif

/* After this seal no holder could map the object writable, which those that did before still have. */
#define SEALS_AFTER_ATTACH F_SEAL_FUTURE_WRITE

enum object_kind {
	OBJECT_ANON,
	OBJECT_MEMFD,
	OBJECT_FILE,
	OBJECT_SYSV,
};

struct object {
	enum object_kind kind;
	uint64_t id;	/* as holders name it */
	uint64_t shmid; /* as the page map names it */
	uint64_t size;
	int fd; /* owned; -1 for files */
	const MemfdInodeEntry *memfd;
	const ShmemFileEntry *file;
	struct sysvshm sysv;
	int *name_fds; /* one per file->names; owned */
	bool attached; /* it is not ours: others outside the tree hold it */
	bool seal_later;
};

struct shmem_restore {
	VEC(struct object *) objects; /* owned */
	struct tmpfs_mounts mounts;
	struct hash by_id; /* (kind, id) -> object */
};

static struct object *add_object(struct shmem_restore *shmem, enum object_kind kind, uint64_t id, uint64_t shmid)
{
	struct object *object = hash_get(&shmem->by_id, kind, id);

	if (object)
		return object;
	object = xalloc(sizeof(*object));
	object->kind = kind;
	object->id = id;
	object->shmid = shmid;
	object->fd = -1;
	hash_put(&shmem->by_id, kind, id, object);
	VEC_PUSH(&shmem->objects, object);
	return object;
}

/* --- which objects ------------------------------------------------------------------ */

static bool is_anon_shared(const VmaEntry *vma)
{
	return (vma->status & VMA_ANON_SHARED) &&
	       !(vma->status & (VMA_AREA_SYSVIPC | VMA_AREA_AIORING | VMA_AREA_SOCKET));
}

/* The size of an anonymous object is in no image: it is as large as its mappings reach. */
static int collect_anon_vma(struct shmem_restore *shmem, uint32_t pid, const VmaEntry *vma)
{
	struct object *object;
	uint64_t bytes;

	if (!is_anon_shared(vma))
		return 0;
	bytes = vma->end - vma->start;
	if (vma->end <= vma->start || vma->pgoff % PAGE_BYTES || bytes > INT64_MAX || vma->pgoff > INT64_MAX - bytes)
		return fail(EINVAL, "mm-%u.img: shared mapping %llx-%llx at offset %#llx of object %llu", pid,
			    (unsigned long long)vma->start, (unsigned long long)vma->end,
			    (unsigned long long)vma->pgoff, (unsigned long long)vma->shmid);
	object = add_object(shmem, OBJECT_ANON, vma->shmid, vma->shmid);
	object->size = max_u64(object->size, vma->pgoff + bytes);
	return 0;
}

static int collect_objects(struct shmem_restore *shmem, const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->tasks.n; i++) {
		const struct task_image *task = &model->tasks.data[i];

		for (size_t v = 0; task->mm && v < task->mm->n_vmas && !err; v++)
			err = collect_anon_vma(shmem, task->pstree->pid, task->mm->vmas[v]);
	}
	for (size_t i = 0; i < model->memfds.n; i++) {
		const MemfdInodeEntry *entry = model->memfds.data[i];
		struct object *object = add_object(shmem, OBJECT_MEMFD, entry->inode_id, entry->shmid);

		object->memfd = entry;
		object->size = entry->size;
	}
	for (size_t i = 0; i < model->shmem_files.n; i++) {
		const struct shmem_file_image *image = &model->shmem_files.data[i];
		struct object *object = add_object(shmem, OBJECT_FILE, image->id, image->id);

		object->file = image->entry;
		object->size = image->entry->size;
	}
	for (size_t i = 0; i < model->sysv_shms.n; i++) {
		const SysvShmEntry *entry = model->sysv_shms.data[i];

		add_object(shmem, OBJECT_SYSV, entry->shmid, entry->shmid)->sysv.entry = entry;
	}
	return err;
}

/* --- anonymous --------------------------------------------------------------------------- */

/*
 * Only mmap(2) makes an inode of this kind, and only map_files gives a
 * descriptor of it. Pages are not reserved: they are accounted as they come.
 */
static int make_anon(struct object *object, struct shmem_content *content)
{
	uint64_t bytes = round_up_pages(object->size);
	void *start;

	/* Pages that no mapping reached were saved with the rest. */
	if (content->pagemap.n_ranges) {
		const struct page_range *last = &content->pagemap.ranges[content->pagemap.n_ranges - 1];

		bytes = max_u64(bytes, last->vaddr + last->nr_pages * PAGE_BYTES);
	}
	object->size = content->size = bytes;
	start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return fail_errno("map %llu bytes", (unsigned long long)bytes);
	object->fd = shmem_open_mapping(start, bytes);
	munmap(start, bytes);
	return object->fd < 0 ? object->fd : shmem_fill(object->fd, content);
}

/* --- memfd ------------------------------------------------------------------------------- */

/* Kernels before 6.3 don't know the exec flags; vm.memfd_noexec may insist on one of them. */
static int create_memfd(const MemfdInodeEntry *entry)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | entry->hugetlb_flag;
	bool exec = !entry->has_mode || (entry->mode & 0111);
	int fd = memfd_create(entry->name, flags | MFD_EXEC);

	if (fd < 0 && errno == EACCES && !exec)
		fd = memfd_create(entry->name, flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(entry->name, flags);
	if (fd < 0)
		return fail_errno("memfd \"%s\": create%s", entry->name,
				  errno == EACCES ? " (vm.memfd_noexec forbids executable ones)" : "");
	return fd;
}

static bool is_anon_huge(const MemfdInodeEntry *entry)
{
	return entry->hugetlb_flag && !strcmp(entry->name, HUGE_ANON_NAME);
}

/* As make_anon(); its size is known. */
static int create_anon_huge(const MemfdInodeEntry *entry)
{
	uint32_t size_flag = entry->hugetlb_flag & HUGE_SIZE_MASK;
	void *start = mmap(NULL, entry->size, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_HUGETLB | size_flag, -1, 0);
	int fd;

	if (start == MAP_FAILED)
		return fail_errno("map %llu bytes of huge pages", (unsigned long long)entry->size);
	fd = shmem_open_mapping(start, entry->size);
	munmap(start, entry->size);
	return fd;
}

/* A descriptor open for writing would keep the memfd from being anybody's executable. */
static int weaken(struct object *object)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", object->fd);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("memfd \"%s\": reopen", object->memfd->name);
	close(object->fd);
	object->fd = fd;
	return 0;
}

static int set_memfd_attributes(int fd, const MemfdInodeEntry *entry)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fchown(fd, entry->uid, entry->gid))
		return fail_errno("memfd \"%s\": set owner %u:%u", entry->name, entry->uid, entry->gid);
	err = xattrs_apply(path, entry->name, entry->xattrs, entry->n_xattrs);
	if (!err && entry->has_mode && fchmod(fd, entry->mode & 07777))
		err = fail_errno("memfd \"%s\": set mode %#o", entry->name, entry->mode & 07777);
	return err;
}

static int make_memfd(struct object *object, struct shmem_content *content)
{
	const MemfdInodeEntry *entry = object->memfd;
	int err;

	object->fd = is_anon_huge(entry) ? create_anon_huge(entry) : create_memfd(entry);
	if (object->fd < 0)
		return object->fd;
	if (ftruncate(object->fd, (off_t)object->size))
		return fail_errno("memfd \"%s\": set size %llu", entry->name, (unsigned long long)object->size);
	err = shmem_fill(object->fd, content);
	if (err)
		return err;
	err = set_memfd_attributes(object->fd, entry);
	if (err)
		return err;
	object->seal_later = (entry->seals & SEALS_AFTER_ATTACH) && !(entry->seals & F_SEAL_WRITE);
	if (object->seal_later)
		return 0;
	return memfd_add_seals(object->fd, entry->seals, entry->name) ?: weaken(object);
}

/* --- files -------------------------------------------------------------------------------- */

static struct timespec to_timespec(const ShmemFileTime *time)
{
	if (!time)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	return (struct timespec){ .tv_sec = time->sec, .tv_nsec = time->nsec };
}

static int make_file(struct shmem_restore *shmem, struct object *object, struct shmem_content *content,
		     struct guard *guard)
{
	const ShmemFileEntry *entry = object->file;
	struct unnamed_file file = {
		.paths = (const char *const *)entry->names,
		.n_paths = entry->n_names,
		.mode = S_IFREG | (entry->mode & 07777),
		.uid = entry->uid,
		.gid = entry->gid,
		.size = entry->size,
		.atime = to_timespec(entry->atim),
		.mtime = to_timespec(entry->mtim),
		.xattrs = entry->xattrs,
		.n_xattrs = entry->n_xattrs,
		.fs_magic = entry->fs_magic,
		.fs_type = entry->fs_type,
		.fs_options = entry->fs_options,
		.mounts = &shmem->mounts,
		.guard = guard,
		.fill = shmem_fill,
		.fill_arg = content,
	};
	int err;

	if (!entry->n_names)
		return fail(EINVAL, "shmem-file-%llu.img: no name", (unsigned long long)object->id);
	object->name_fds = xalloc(entry->n_names * sizeof(int));
	err = remap_make_unnamed(&file, object->name_fds);
	if (err) {
		free(object->name_fds);
		object->name_fds = NULL;
	}
	return err;
}

/* --- held outside the tree ------------------------------------------------------------------ */

static int attach_names(struct object *object, int fd)
{
	size_t n = object->file->n_names;

	object->name_fds = xalloc(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		object->name_fds[i] = -1;
	for (size_t i = 0; i < n; i++) {
		object->name_fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (object->name_fds[i] < 0)
			return fail_errno("%s: duplicate its descriptor", object->file->names[i]);
	}
	return 0;
}

/* Nothing is written into it: what those who live have made of it counts. */
static int attach_object(struct object *object, const ExternalObjectEntry *entry, const struct options *options)
{
	auto_fd int fd = external_open(entry, options);
	char path[64];

	if (fd < 0)
		return fd;
	object->attached = true;
	pr_info("%s %s: attached to the one that lives", entry->kind, entry->name);
	if (object->kind == OBJECT_SYSV)
		return sysvshm_attach(&object->sysv, fd);
	if (object->kind == OBJECT_FILE)
		return attach_names(object, fd);
	if (object->kind == OBJECT_MEMFD) {
		object->fd = take_fd(&fd);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	object->fd = open(path, O_RDWR | O_CLOEXEC);
	return object->fd < 0 ? fail_errno("%s: open for writing", entry->name) : 0;
}

/* ------------------------------------------------------------------------------------------- */

static const char *object_name(const struct object *object)
{
	if (object->memfd)
		return object->memfd->name;
	if (object->kind == OBJECT_SYSV)
		return "System V segment";
	return object->file && object->file->n_names ? object->file->names[0] : "anonymous memory";
}

static int make_object(struct shmem_restore *shmem, struct object *object, const struct model *model,
		       const struct image_dir *dir, const struct options *options, struct guard *guard)
{
	const ExternalObjectEntry *external = external_find(model, object->shmid);
	struct shmem_content content = { .name = object_name(object), .size = object->size };
	bool attach = false;
	int err;

	LOG_SCOPE("shared object", object->id);
	if (external) {
		err = external_decide(external, options, &attach);
		if (err)
			return err;
	}
	if (attach)
		return attach_object(object, external, options);
	err = pagemap_read(dir, IMAGE_PAGEMAP_SHMEM, object->shmid, model->arena, &content.pagemap);
	if (err)
		return err;
	switch (object->kind) {
	case OBJECT_ANON:
		err = make_anon(object, &content);
		break;
	case OBJECT_MEMFD:
		err = make_memfd(object, &content);
		break;
	case OBJECT_FILE:
		err = make_file(shmem, object, &content, guard);
		break;
	case OBJECT_SYSV:
		object->sysv.copy = external != NULL;
		err = sysvshm_make(&object->sysv, model, &content, guard);
		break;
	}
	pagemap_close(&content.pagemap);
	return err;
}

int shmem_make(const struct model *model, const struct image_dir *dir, const struct options *options,
	       struct guard *guard, struct shmem_restore **ret)
{
	struct shmem_restore *shmem = xalloc(sizeof(*shmem));
	int err = collect_objects(shmem, model);

	if (!err)
		err = sysvshm_check(model, options);
	for (size_t i = 0; i < shmem->objects.n && !err; i++)
		err = make_object(shmem, shmem->objects.data[i], model, dir, options, guard);
	tmpfs_mounts_free(&shmem->mounts);
	if (err) {
		shmem_restore_free(shmem);
		return err;
	}
	*ret = shmem;
	return 0;
}

int shmem_anon_fd(const struct shmem_restore *shmem, uint64_t shmid)
{
	const struct object *object = hash_get(&shmem->by_id, OBJECT_ANON, shmid);

	return object ? object->fd : fail(ENOENT, "shared memory %llu is in no image", (unsigned long long)shmid);
}

int shmem_memfd_fd(const struct shmem_restore *shmem, uint64_t inode_id)
{
	const struct object *object = hash_get(&shmem->by_id, OBJECT_MEMFD, inode_id);

	return object ? object->fd : fail(ENOENT, "memfd %llu is in no image", (unsigned long long)inode_id);
}

int shmem_file_fd(const struct shmem_restore *shmem, uint32_t id, const char *path)
{
	const struct object *object = hash_get(&shmem->by_id, OBJECT_FILE, id);

	for (size_t i = 0; object && i < object->file->n_names; i++)
		if (!strcmp(object->file->names[i], path))
			return object->name_fds[i];
	return fail(ENOENT, "%s: not a name of shared object %u", path, id);
}

bool shmem_is_attached(const struct shmem_restore *shmem, uint64_t id)
{
	const struct object *file = hash_get(&shmem->by_id, OBJECT_FILE, id);
	const struct object *memfd = hash_get(&shmem->by_id, OBJECT_MEMFD, id);

	return (file && file->attached) || (memfd && memfd->attached);
}

const struct sysvshm *shmem_sysv(const struct shmem_restore *shmem, uint64_t shmid)
{
	const struct object *object = hash_get(&shmem->by_id, OBJECT_SYSV, shmid);

	if (!object)
		pr_err("System V segment %llu is in no image", (unsigned long long)shmid);
	return object ? &object->sysv : NULL;
}

/* Seals do not forbid it. */
static int set_times(const struct object *object)
{
	const MemfdInodeEntry *memfd = object->memfd;
	const ShmemFileEntry *file = object->file;

	if (memfd)
		return remap_set_times(object->fd, memfd->name, to_timespec(memfd->atim), to_timespec(memfd->mtim));
	if (file)
		return remap_set_times(object->name_fds[0], file->names[0], to_timespec(file->atim),
				       to_timespec(file->mtim));
	return 0;
}

int shmem_settle(struct shmem_restore *shmem)
{
	int err = 0;

	for (size_t i = 0; i < shmem->objects.n && !err; i++) {
		struct object *object = shmem->objects.data[i];

		if (object->kind == OBJECT_SYSV)
			sysvshm_detach(&object->sysv);
		if (object->attached)
			continue;
		if (object->seal_later)
			err = memfd_add_seals(object->fd, object->memfd->seals, object->memfd->name);
		err = err ?: set_times(object);
	}
	return err;
}

void shmem_restore_free(struct shmem_restore *shmem)
{
	if (!shmem)
		return;
	for (size_t i = 0; i < shmem->objects.n; i++) {
		struct object *object = shmem->objects.data[i];

		sysvshm_detach(&object->sysv);
		for (size_t n = 0; object->name_fds && n < object->file->n_names; n++)
			close_fdp(&object->name_fds[n]);
		if (object->fd >= 0)
			close(object->fd);
		free(object->name_fds);
		free(object);
	}
	VEC_FREE(&shmem->objects);
	hash_free(&shmem->by_id);
	free(shmem);
}
