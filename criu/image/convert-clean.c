/*
 * What a converted checkpoint has no use for: shmem-file-<id>.img, which no remap names any more, the object's page
 * map and pages, external-objects.img, sysv-sem.img and sysv-msg.img. Objects are found by the files in the directory, for an earlier
 * conversion may have been killed between two of them; their page maps go only if nothing else has that number.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "image/convert.h"
#include "image/image-file.h"
#include "image/image-table.h"
#include "image/pages.h"
#include "image/vma-status.h"
#include "util/log.h"

/* Numbers the checkpoint needs. */
struct used {
	struct hash maps;  /* pagemap-shmem-<id> */
	struct hash pages; /* pages-<id> */
	struct arena *arena;
};

static int use_pages(struct used *used, const struct image_dir *dir, enum image_kind kind, uint64_t id)
{
	uint32_t pages_id;
	int err = pagemap_pages_id(dir, kind, id, used->arena, &pages_id);

	if (!err)
		hash_put(&used->pages, pages_id, 0, used);
	return err == -ENOENT ? 0 : err;
}

static int use_object(struct used *used, const struct image_dir *dir, uint64_t id)
{
	if (hash_put(&used->maps, id, 0, used))
		return 0;
	return use_pages(used, dir, IMAGE_PAGEMAP_SHMEM, id);
}

static int use_task(struct used *used, const struct image_dir *dir, const struct task_image *task)
{
	int err = use_pages(used, dir, IMAGE_PAGEMAP, task->pstree->pid);

	for (size_t i = 0; task->mm && i < task->mm->n_vmas && !err; i++)
		if (task->mm->vmas[i]->status & VMA_ANON_SHARED && !(task->mm->vmas[i]->status & VMA_AREA_AIORING))
			err = use_object(used, dir, task->mm->vmas[i]->shmid);
	return err;
}

static int collect_used(struct used *used, const struct image_dir *dir, const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->tasks.n && !err; i++)
		err = use_task(used, dir, &model->tasks.data[i]);
	for (size_t i = 0; i < model->memfds.n && !err; i++)
		err = use_object(used, dir, model->memfds.data[i]->shmid);
	for (size_t i = 0; i < model->carried_files.n && !err; i++)
		err = use_object(used, dir, model->carried_files.data[i]->id);
	return err;
}

/* From the bottom up, so that what an interruption leaves is found again. */
static int remove_object(struct image_dir *dir, const struct used *used, uint32_t id)
{
	uint32_t pages_id;
	int err = 0;

	if (!hash_get(&used->maps, id, 0)) {
		err = pagemap_pages_id(dir, IMAGE_PAGEMAP_SHMEM, id, used->arena, &pages_id);
		if (!err && !hash_get(&used->pages, pages_id, 0))
			err = image_discard(dir, IMAGE_PAGES, pages_id);
		if (!err)
			err = image_discard(dir, IMAGE_PAGEMAP_SHMEM, id);
		if (err == -ENOENT)
			err = 0;
	}
	return err ?: image_discard(dir, IMAGE_SHMEM_FILE, id);
}

static bool is_shmem_file(const char *name, uint32_t *ret_id)
{
	char canonical[IMAGE_NAME_BYTES];

	if (sscanf(name, "shmem-file-%" SCNu32 ".img", ret_id) != 1)
		return false;
	image_file_name(IMAGE_SHMEM_FILE, *ret_id, canonical);
	return !strcmp(name, canonical);
}

static int remove_objects(struct image_dir *dir, const struct used *used)
{
	int list_fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);
	const struct dirent *entry;
	VEC(uint32_t) ids = { 0 };
	uint32_t id;
	int err = 0;

	if (!list) {
		err = fail_errno("%s: cannot list the directory", dir->path);
		close_fdp(&list_fd);
		return err;
	}
	while ((entry = readdir(list)))
		if (is_shmem_file(entry->d_name, &id))
			VEC_PUSH(&ids, id);
	closedir(list);
	for (size_t i = 0; i < ids.n && !err; i++)
		err = remove_object(dir, used, ids.data[i]);
	VEC_FREE(&ids);
	return err;
}

int convert_clean(struct image_dir *dir, const struct model *model)
{
	struct used used = { .arena = arena_new() };
	int err = collect_used(&used, dir, model);

	err = err ?: remove_objects(dir, &used);
	err = err ?: image_discard(dir, IMAGE_EXTERNAL_OBJECT, 0);
	err = err ?: image_discard(dir, IMAGE_SYSV_SEM, 0);
	err = err ?: image_discard(dir, IMAGE_SYSV_MSG, 0);
	if (!err && fsync(dir->fd))
		err = fail_errno("%s: cannot bring the directory to disk", dir->path);
	hash_free(&used.maps);
	hash_free(&used.pages);
	arena_free(used.arena);
	return err;
}
