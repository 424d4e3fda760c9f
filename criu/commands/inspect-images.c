/* The report on an image directory: what was saved, and can it be restored? */
#include <string.h>
#include <sys/mman.h>

#include "commands/inspect-fs.h"
#include "commands/inspect.h"
#include "image/image.h"
#include "image/pages.h"
#include "image/vma-status.h"
#include "mem/huge.h"
#include "mem/inode.h"
#include "restore/tree-plan.h"
#include "restore/validate.h"
#include "util/log.h"

/* The spaces of numbers by which images name objects. */
enum space { SPACE_SHMEM, SPACE_FILE, SPACE_NAME };

struct images {
	struct image_dir dir;
	struct model model;
	struct report *report;
	struct hash objects; /* (space, number) -> struct report_object */
	struct hash names;   /* hash of the path -> chain of live files */
};

/* A file with a name is as many entries as there are descriptions and ways to map it. */
struct live_name {
	const char *path;
	struct report_object *object;
	struct live_name *next;
};

/* --- tasks ------------------------------------------------------------------------ */

static void add_task(struct images *images, const struct task_image *task)
{
	const PstreeEntry *pstree = task->pstree;
	const TaskCoreEntry *core = task->core[0]->tc;
	struct report_task *added =
		report_add_task(images->report, pstree->pid, pstree->ppid, core ? core->comm : "?", pstree->n_threads);

	added->state = "alive";
	if (core && core->task_state == TASK_STATE_DEAD)
		added->state = "zombie";
	if (core && core->task_state == TASK_STATE_STOPPED)
		added->state = "stopped";
	for (size_t i = 0; i < pstree->n_threads; i++)
		added->threads[i] = (pid_t)pstree->threads[i];
}

/* --- names ------------------------------------------------------------------------ */

static uint64_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037U;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211U;
	return hash;
}

static struct report_object *find_live_name(const struct images *images, const char *path)
{
	const struct live_name *name = hash_get(&images->names, hash_of(path), 0);

	while (name && strcmp(name->path, path))
		name = name->next;
	return name ? name->object : NULL;
}

static void add_live_name(struct images *images, const char *path, struct report_object *object)
{
	struct live_name *name = arena_new_of(images->report->arena, struct live_name);
	uint64_t key = hash_of(path);

	name->path = path;
	name->object = object;
	name->next = hash_get(&images->names, key, 0);
	hash_put(&images->names, key, 0, name);
}

/* --- objects ---------------------------------------------------------------------- */

static struct report_object *find_object(const struct images *images, enum space space, uint64_t id)
{
	return hash_get(&images->objects, space, id);
}

static int saved_bytes(const struct images *images, uint64_t id, int64_t *ret)
{
	struct pagemap map;
	int err = pagemap_read(&images->dir, IMAGE_PAGEMAP_SHMEM, id, images->report->arena, &map);

	if (err)
		return err;
	*ret = 0;
	for (size_t i = 0; i < map.n_ranges; i++)
		*ret += (int64_t)(map.ranges[i].nr_pages * PAGE_BYTES);
	pagemap_close(&map);
	return 0;
}

static int add_shmem(struct images *images, uint64_t id, const char *kind, const char *name, struct report_object **ret)
{
	struct report_object *object = report_add_object(images->report);

	object->kind = kind;
	object->name = name;
	object->decision = DECISION_OBJECT;
	object->reason = "its content is in the images once, whoever held it";
	hash_put(&images->objects, SPACE_SHMEM, id, object);
	*ret = object;
	return saved_bytes(images, id, &object->allocated_bytes);
}

static int add_shmem_file(struct images *images, const struct shmem_file_image *file)
{
	const ShmemFileEntry *entry = file->entry;
	struct report_object *object;
	int err = add_shmem(images, file->id, "deleted-file", entry->n_names ? entry->names[0] : "", &object);

	object->size_bytes = entry->size;
	object->filesystem = entry->fs_type ? entry->fs_type : fs_name(entry->fs_magic, images->report->arena);
	return err;
}

/* With --tmpfs-content. It may have several names. */
static int add_carried(struct images *images, const CarriedFileEntry *carried)
{
	const ShmemFileEntry *file = carried->file;
	struct report_object *object = report_add_object(images->report);

	object->kind = "live-file";
	object->name = file->n_names ? file->names[0] : "";
	object->filesystem = file->fs_type ? file->fs_type : fs_name(file->fs_magic, images->report->arena);
	object->size_bytes = file->size;
	object->decision = DECISION_CARRIED;
	object->reason = "restore takes the file if it is there, and else makes it from its content in the images";
	for (size_t i = 0; i < file->n_names; i++)
		add_live_name(images, file->names[i], object);
	return saved_bytes(images, carried->id, &object->allocated_bytes);
}

static int add_memfd(struct images *images, const MemfdInodeEntry *entry)
{
	bool anon = entry->hugetlb_flag && !strcmp(entry->name, HUGE_ANON_NAME);
	char *name = anon ? entry->name : arena_printf(images->report->arena, "/memfd:%s", entry->name);
	struct report_object *object;
	int err = add_shmem(images, entry->inode_id, anon ? "anonymous" : "memfd", name, &object);

	object->size_bytes = entry->size;
	object->filesystem = entry->hugetlb_flag ? "hugetlbfs" : "tmpfs";
	return err;
}

static int add_segment(struct images *images, const SysvShmEntry *entry)
{
	char *name = arena_printf(images->report->arena, "/SYSV%08x", entry->made_key);
	struct report_object *object;
	int err = add_shmem(images, entry->shmid, "sysv", name, &object);

	object->size_bytes = entry->shm->size;
	object->filesystem = entry->shm->hugetlb_flag ? "hugetlbfs" : "tmpfs";
	return err;
}

/* The only trace of the size is how far it was mapped. */
static int add_anonymous(struct images *images, const VmaEntry *vma)
{
	struct report_object *object = find_object(images, SPACE_SHMEM, vma->shmid);
	int err = object ? 0 : add_shmem(images, vma->shmid, "anonymous", "/dev/zero", &object);

	object->filesystem = "tmpfs";
	object->size_bytes = max_u64(object->size_bytes, vma->pgoff + (vma->end - vma->start));
	return err;
}

/* Small ghosts have their size in the entry of the file only. */
static void add_ghost(struct images *images, const RemapFilePathEntry *remap, struct report_object *object)
{
	object->decision = DECISION_GHOST;
	object->reason = "a copy of its content is in the images";
	for (size_t i = 0; i < images->model.ghosts.n; i++)
		if (images->model.ghosts.data[i].id == remap->remap_id && images->model.ghosts.data[i].entry->has_size)
			object->size_bytes = images->model.ghosts.data[i].entry->size;
}

/* Names of one object lead to one: by what they are remapped to. */
static void add_remap(struct images *images, const RemapFilePathEntry *remap)
{
	const FileEntry *file = model_file(&images->model, remap->orig_id);
	bool shmem = remap->has_remap_type && remap->remap_type == REMAP_TYPE__SHMEM;
	bool ghost = remap->has_remap_type && remap->remap_type == REMAP_TYPE__GHOST;
	/* Ghosts have numbers of their own; links have those of files. */
	uint64_t key = (uint64_t)remap->remap_id << 1 | ghost;
	struct report_object *object =
		shmem ? find_object(images, SPACE_SHMEM, remap->remap_id) : find_object(images, SPACE_NAME, key);

	if (!object) {
		object = report_add_object(images->report);
		object->kind = "deleted-file";
		object->name = file && file->reg ? file->reg->name : "";
		object->size_bytes = file && file->reg && file->reg->has_size ? file->reg->size : 0;
		hash_put(&images->objects, SPACE_NAME, key, object);
		if (ghost) {
			add_ghost(images, remap, object);
		} else {
			object->decision = DECISION_LINK;
			object->reason = "the content is in the file system, under a temporary name";
		}
	}
	hash_put(&images->objects, SPACE_FILE, remap->orig_id, object);
}

static struct report_object *live_file(struct images *images, const RegFileEntry *reg, bool add)
{
	struct report_object *object = find_live_name(images, reg->name);

	if (object || !add)
		return object;
	object = report_add_object(images->report);
	object->kind = "live-file";
	object->name = reg->name;
	object->size_bytes = reg->has_size ? reg->size : 0;
	object->decision = DECISION_FILE;
	object->reason = "the content is in the file, which must be there at restore";
	add_live_name(images, reg->name, object);
	return object;
}

/* What a file entry leads to, if that is shared memory. @map: it is mapped shared, which makes it so. */
static struct report_object *object_of_file(struct images *images, uint32_t id, bool map)
{
	struct report_object *object = find_object(images, SPACE_FILE, id);
	const FileEntry *file = object ? NULL : model_file(&images->model, id);

	if (file && file->memfd)
		return find_object(images, SPACE_SHMEM, file->memfd->inode_id);
	if (file && file->reg)
		return live_file(images, file->reg, map);
	return object;
}

/* --- holders ---------------------------------------------------------------------- */

static char *vma_access(const struct images *images, const VmaEntry *vma)
{
	return arena_printf(images->report->arena, "%c%c%c%c", vma->prot & PROT_READ ? 'r' : '-',
			    vma->prot & PROT_WRITE ? 'w' : '-', vma->prot & PROT_EXEC ? 'x' : '-',
			    vma->flags & MAP_SHARED ? 's' : 'p');
}

static int add_vma(struct images *images, const struct task_image *task, const VmaEntry *vma)
{
	struct report_object *object = NULL;
	int err = 0;

	if (vma->status & VMA_AREA_SYSVIPC) {
		object = find_object(images, SPACE_SHMEM, vma->shmid);
	} else if (vma->status & VMA_ANON_SHARED && !(vma->status & VMA_AREA_AIORING)) {
		err = add_anonymous(images, vma);
		object = find_object(images, SPACE_SHMEM, vma->shmid);
	} else if (vma->status & (VMA_FILE_SHARED | VMA_FILE_PRIVATE)) {
		object = object_of_file(images, (uint32_t)vma->shmid, vma->status & VMA_FILE_SHARED);
	}
	if (object)
		VEC_PUSH(&object->holders, ((struct report_holder){
						   .pid = (pid_t)task->pstree->pid,
						   .comm = report_comm(images->report, task->pstree->pid),
						   .fd = -1,
						   .start = vma->start,
						   .end = vma->end,
						   .access = vma_access(images, vma),
					   }));
	return err;
}

static unsigned int file_flags(const struct images *images, uint32_t id)
{
	const FileEntry *file = model_file(&images->model, id);

	return file && file->memfd ? file->memfd->flags : file && file->reg ? file->reg->flags : 0;
}

static void add_fd(struct images *images, const struct task_image *task, const FdinfoEntry *slot, uint32_t id)
{
	struct report_object *object = object_of_file(images, id, false);

	if (object)
		VEC_PUSH(&object->holders, ((struct report_holder){
						   .pid = (pid_t)task->pstree->pid,
						   .comm = report_comm(images->report, task->pstree->pid),
						   .in_flight = id != slot->id,
						   .fd = (int)slot->fd,
						   .access = inode_fd_access(file_flags(images, id)),
					   }));
}

/* What messages carry that wait at it. */
static void add_in_flight(struct images *images, const struct task_image *task, const FdinfoEntry *slot)
{
	for (size_t i = 0; i < images->model.sk_packets.n; i++) {
		const SkPacketEntry *packet = images->model.sk_packets.data[i].entry;

		if (packet->id_for != slot->id)
			continue;
		for (size_t k = 0; k < packet->n_scm; k++)
			for (size_t n = 0; n < packet->scm[k]->n_rights; n++)
				add_fd(images, task, slot, packet->scm[k]->rights[n]);
	}
}

static void add_fds(struct images *images, const struct task_image *task)
{
	const struct fdtable_image *table = task->ids ? model_fdtable(&images->model, task->ids->files_id) : NULL;

	for (size_t i = 0; table && i < table->n_fds; i++) {
		add_fd(images, task, table->fds[i], table->fds[i]->id);
		if (table->fds[i]->type == FD_TYPES__UNIXSK)
			add_in_flight(images, task, table->fds[i]);
	}
}

static int add_mappings(struct images *images, const struct task_image *task)
{
	int err = 0;

	for (size_t i = 0; !err && task->mm && i < task->mm->n_vmas; i++)
		err = add_vma(images, task, task->mm->vmas[i]);
	return err;
}

/* --- the whole -------------------------------------------------------------------- */

static int add_objects(struct images *images, const struct options *options)
{
	struct model *model = &images->model;
	int err = 0;

	for (size_t i = 0; !err && i < model->shmem_files.n; i++)
		err = add_shmem_file(images, &model->shmem_files.data[i]);
	for (size_t i = 0; !err && i < model->memfds.n; i++)
		err = add_memfd(images, model->memfds.data[i]);
	for (size_t i = 0; !err && i < model->sysv_shms.n; i++)
		err = add_segment(images, model->sysv_shms.data[i]);
	for (size_t i = 0; !err && i < model->carried_files.n; i++)
		err = add_carried(images, model->carried_files.data[i]);
	for (size_t i = 0; !err && i < model->remaps.n; i++)
		add_remap(images, model->remaps.data[i]);
	/* Mappings first: they decide which files are shared memory. */
	for (size_t i = 0; !err && i < model->tasks.n; i++)
		err = add_mappings(images, &model->tasks.data[i]);
	for (size_t i = 0; !err && i < model->tasks.n; i++)
		add_fds(images, &model->tasks.data[i]);
	for (size_t i = 0; !err && i < model->external_objects.n; i++) {
		struct report_object *object = find_object(images, SPACE_SHMEM, model->external_objects.data[i]->id);

		/* Restore asks about objects of the tree only. */
		if (object)
			inspect_external(model->external_objects.data[i], options, images->report, object);
	}
	for (size_t i = 0; i < images->report->objects.n; i++)
		report_sort_holders(images->report->objects.data[i]);
	return err;
}

static int check_pages(const struct images *images)
{
	int err = 0;

	for (size_t i = 0; !err && i < images->model.tasks.n; i++) {
		struct pagemap map;

		err = pagemap_read(&images->dir, IMAGE_PAGEMAP, images->model.tasks.data[i].pstree->pid,
				   images->report->arena, &map);
		if (!err)
			pagemap_close(&map);
	}
	return err;
}

/* As restore reads them. What was added to the report before an error stays in it. */
static int read_all(struct images *images, const struct options *options, const struct kernel_features *features)
{
	struct tree_plan plan = { 0 };
	int err = image_read(&images->dir, &images->model);

	if (err)
		return err;
	for (size_t i = 0; i < images->model.tasks.n; i++)
		add_task(images, &images->model.tasks.data[i]);
	err = add_objects(images, options);
	if (!err)
		err = check_pages(images);
	if (!err)
		err = restore_validate(&images->model, options, features);
	if (!err)
		err = tree_plan_make(&images->model, options->shell_job, &plan);
	tree_plan_free(&plan);
	return err;
}

int inspect_images(const struct options *options, const struct kernel_features *features, struct report *ret)
{
	struct images images = { .report = ret };
	auto_free char *why = NULL;
	int err = image_dir_open(options->images_dir, &images.dir);

	if (err)
		return err;
	ret->images_dir = options->images_dir;
	model_init(&images.model);
	log_hold_errors(true);
	err = read_all(&images, options, features);
	why = log_held_error();
	log_hold_errors(false);
	if (err)
		report_add_refusal(ret, why[0] ? why : strerror(-err), 0, 0);
	/* Names in the report are in it. */
	ret->model_arena = take_ptr(images.model.arena);
	model_free(&images.model);
	hash_free(&images.objects);
	hash_free(&images.names);
	image_dir_close(&images.dir);
	return 0;
}
