/* The image directory: opening it, and the commit point. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "image/image-file.h"
#include "image/image-table.h"
#include "util/log.h"

#define INVENTORY_NAME "inventory.img"
#define INVENTORY_TMP  "inventory.img.tmp"

int image_dir_open(const char *path, struct image_dir *ret)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno("cannot open the images directory %s", path);
	*ret = (struct image_dir){ .fd = fd, .path = path };
	return 0;
}

void image_dir_close(struct image_dir *dir)
{
	image_unsynced_close(dir);
	VEC_FREE(&dir->unsynced);
	if (dir->fd >= 0)
		close(dir->fd);
	dir->fd = -1;
}

int image_create_fd(struct image_dir *dir, const char *name)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir->fd, name, flags, 0600);

	/* An old file may have other names, readers, an owner or a mode: start from a new one. */
	if (fd < 0 && errno == EEXIST) {
		if (unlinkat(dir->fd, name, 0))
			return fail_errno("%s/%s: cannot remove the old image", dir->path, name);
		fd = openat(dir->fd, name, flags, 0600);
	}
	if (fd < 0)
		return fail_errno("%s/%s: cannot create the image", dir->path, name);
	return fd;
}

int image_discard(struct image_dir *dir, enum image_kind kind, uint64_t id)
{
	char name[IMAGE_NAME_BYTES];

	image_file_name(kind, id, name);
	if (unlinkat(dir->fd, name, 0) && errno != ENOENT)
		return fail_errno("%s/%s: cannot remove the old image", dir->path, name);
	return 0;
}

int image_prepare_commit(struct image_dir *dir, const struct model *model)
{
	struct image_writer *writer;
	int err;

	err = image_create_named(dir, IMAGE_INVENTORY, INVENTORY_TMP, &writer);
	if (err)
		return err;
	err = image_write_entry(writer, &model->inventory->base);
	if (err) {
		image_abort(writer);
		return err;
	}
	err = image_finish(writer);
	return err ?: image_sync(dir);
}

int image_commit(int dir_fd)
{
	if (renameat(dir_fd, INVENTORY_TMP, dir_fd, INVENTORY_NAME))
		return -errno;
	return fsync(dir_fd) ? -errno : 0;
}

int image_remove_inventory(struct image_dir *dir)
{
	image_unsynced_close(dir);
	dir->many = dir->failed = false;
	if (unlinkat(dir->fd, INVENTORY_TMP, 0) && errno != ENOENT)
		return fail_errno("%s/%s: cannot remove what an earlier dump left", dir->path, INVENTORY_TMP);
	if (unlinkat(dir->fd, INVENTORY_NAME, 0)) {
		if (errno == ENOENT)
			return 0;
		return fail_errno("%s/%s: cannot remove the inventory of an earlier dump", dir->path, INVENTORY_NAME);
	}
	/* On disk before anything else is written: the directory must not look complete after a crash. */
	if (fsync(dir->fd))
		return fail_errno("%s: cannot bring the directory to disk", dir->path);
	return 0;
}
