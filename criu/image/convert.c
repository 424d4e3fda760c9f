#include <fcntl.h>
#include <stdio.h>

#include "image/convert.h"
#include "image/image-file.h"
#include "image/image-table.h"
#include "util/interrupt.h"
#include "util/log.h"

#define REMAPS_NAME "remap-fpath.img"
#define REMAPS_TMP  "remap-fpath.img.tmp"

/* Readers of old images take the highest bit for the type. */
#define GHOST_ID_MAX 0x7fffffffu

/* New ghosts have the numbers from here on, in the order of the objects. */
static uint32_t first_free_ghost(const struct model *model)
{
	uint32_t last = 0;

	for (size_t i = 0; i < model->ghosts.n; i++)
		last = max_u64(last, model->ghosts.data[i].id);
	return last + 1;
}

static int write_ghosts(struct image_dir *dir, const struct model *model, uint32_t first, struct convert_stats *stats)
{
	int err = 0;

	for (size_t i = 0; i < model->shmem_files.n && !err; i++) {
		err = convert_ghost(dir, &model->shmem_files.data[i], first + i, &stats->pages);
		stats->objects++;
	}
	return err;
}

/* All names of one object lead to one ghost, which is what makes mainline attach them to one inode. */
static void change_remaps(struct model *model, uint32_t first)
{
	struct hash index = { 0 };

	for (size_t i = 0; i < model->shmem_files.n; i++)
		hash_put(&index, model->shmem_files.data[i].id, 0, &model->shmem_files.data[i]);
	for (size_t i = 0; i < model->remaps.n; i++) {
		RemapFilePathEntry *remap = model->remaps.data[i];
		const struct shmem_file_image *file;

		if (remap->remap_type != REMAP_TYPE__SHMEM)
			continue;
		file = hash_get(&index, remap->remap_id, 0);
		remap->remap_type = REMAP_TYPE__GHOST;
		remap->remap_id = first + (uint32_t)(file - model->shmem_files.data);
	}
	hash_free(&index);
}

static int write_remaps(struct image_dir *dir, const struct model *model)
{
	struct image_writer *writer;
	int err = image_create_named(dir, IMAGE_REMAP_FPATH, REMAPS_TMP, &writer);

	if (err)
		return err;
	for (size_t i = 0; i < model->remaps.n && !err; i++)
		err = image_write_entry(writer, &model->remaps.data[i]->base);
	if (!err)
		return image_finish(writer);
	image_abort(writer);
	return err;
}

/* Not synced means that after a power failure it is the old or the new one, and both are whole. */
static int commit(struct image_dir *dir)
{
	if (renameat(dir->fd, REMAPS_TMP, dir->fd, REMAPS_NAME))
		return fail_errno("%s/%s: cannot replace it", dir->path, REMAPS_NAME);
	return 0;
}

static void undo(struct image_dir *dir, uint32_t first, size_t n)
{
	unlinkat(dir->fd, REMAPS_TMP, 0);
	for (size_t i = 0; i < n; i++)
		if (image_discard(dir, IMAGE_GHOST_FILE, first + i))
			return;
}

static int convert_objects(struct image_dir *dir, struct model *model, struct convert_stats *stats)
{
	uint32_t first = first_free_ghost(model);
	int err;

	if (first > GHOST_ID_MAX - model->shmem_files.n)
		return fail(EOVERFLOW, "remap-fpath.img: ghost %x leaves no numbers for %zu more", first - 1,
			    model->shmem_files.n);
	err = write_ghosts(dir, model, first, stats);
	if (!err) {
		change_remaps(model, first);
		err = write_remaps(dir, model);
	}
	err = err ?: image_sync(dir);
	err = err ?: interrupt_pending();
	err = err ?: commit(dir);
	if (err) {
		undo(dir, first, stats->objects);
		return err;
	}
	/* Before anything is removed that the old one needs. */
	return fsync(dir->fd) ? fail_errno("%s: cannot bring the directory to disk", dir->path) : 0;
}

int convert_to_mainline(struct image_dir *dir, struct model *model, struct convert_stats *ret)
{
	int err = 0;

	*ret = (struct convert_stats){ 0 };
	if (model->shmem_files.n)
		err = convert_objects(dir, model, ret);
	else if (unlinkat(dir->fd, REMAPS_TMP, 0) && errno != ENOENT)
		err = fail_errno("%s/%s: cannot remove what an earlier conversion left", dir->path, REMAPS_TMP);
	return err ?: convert_clean(dir, model);
}
