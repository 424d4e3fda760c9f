#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "image/pages.h"
#include "kernel/path.h"
#include "mem/carried.h"
#include "mem/external-handle.h"
#include "mem/remap.h"
#include "mem/shmem-fill.h"
#include "mem/tmpfs.h"
#include "mem/xattrs.h"
#include "util/log.h"

/* --- dump ------------------------------------------------------------------ */

void carried_note(struct inode *inode, const char *path, const struct options *options)
{
	if (!options->tmpfs_content || inode->kind != INODE_FILE || inode->fs_magic != FS_MAGIC_TMPFS ||
	    !S_ISREG(inode->st.st_mode))
		return;
	for (size_t i = 0; i < inode->carried_names.n; i++)
		if (!strcmp(inode->carried_names.data[i], path))
			return;
	VEC_PUSH(&inode->carried_names, path);
}

void carried_add(const struct inode *inode, ShmemFileEntry *file, struct model *model)
{
	CarriedFileEntry *entry = model_new(model, CarriedFileEntry, carried_file_entry__init);

	entry->id = inode->id;
	entry->file = file;
	entry->boot_id = arena_strdup(model->arena, boot_id());
	entry->dev = inode->st.st_dev;
	entry->ino = inode->st.st_ino;
	VEC_PUSH(&model->carried_files, entry);
}

/* --- restore --------------------------------------------------------------- */

struct carried_file {
	const ShmemFileEntry *entry;
	int fd;
	int *slots; /* of the names, in the guard */
	size_t n_slots;
};

struct carried_files {
	struct guard *guard;
	struct tmpfs_mounts mounts;
	VEC(struct carried_file) made;
};

/* *ret_there: the file that was saved lives under its first name. */
static int look_for(const CarriedFileEntry *carried, bool *ret_there)
{
	const char *path = carried->file->names[0];
	auto_fd int fd = path_open(path, O_PATH | O_NOFOLLOW);
	struct stat st;

	*ret_there = false;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fail(-fd, "%s: look for it", path);
	if (fstat(fd, &st))
		return fail_errno("%s: fstat", path);
	if (strcmp(carried->boot_id, boot_id()) != 0 || st.st_dev != carried->dev || st.st_ino != carried->ino)
		return fail(EEXIST, "%s: is there and is not the file that was saved; remove or rename it", path);
	*ret_there = true;
	return 0;
}

static int make_inode(struct carried_files *files, const ShmemFileEntry *entry)
{
	const char *name, *path = entry->names[0];
	auto_fd int dir = path_open_parent(path, &name);
	auto_fd int fd = dir < 0 ? dir : openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	struct statfs fs;

	if (dir < 0)
		return fail(-dir, "%s: its directory can't be opened; make it first", path);
	if (fd < 0)
		return fail_errno("%s: make it again", path);
	if (!fstatfs(fd, &fs) && (uint32_t)fs.f_type == (uint32_t)entry->fs_magic)
		tmpfs_compare(&files->mounts, path, entry->fs_options, fd);
	else
		pr_warn("%s: was on a tmpfs and is made on a file system of type %#x", path, (uint32_t)fs.f_type);
	return take_fd(&fd);
}

static int fill(int fd, const CarriedFileEntry *carried, const struct model *model, const struct image_dir *dir)
{
	struct shmem_content content = { .name = carried->file->names[0], .size = carried->file->size };
	int err;

	if (ftruncate(fd, (off_t)content.size))
		return fail_errno("%s: set size %llu", carried->file->names[0], (unsigned long long)content.size);
	err = pagemap_read(dir, IMAGE_PAGEMAP_SHMEM, carried->id, model->arena, &content.pagemap);
	if (err)
		return err;
	err = shmem_fill(fd, &content);
	pagemap_close(&content.pagemap);
	return err;
}

static int set_attributes(int fd, const ShmemFileEntry *entry)
{
	char self[64];
	int err;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fchown(fd, entry->uid, entry->gid))
		return fail_errno("%s: set owner %u:%u", entry->names[0], entry->uid, entry->gid);
	err = xattrs_apply(self, entry->names[0], entry->xattrs, entry->n_xattrs);
	if (!err && fchmod(fd, entry->mode & 07777))
		err = fail_errno("%s: set mode %#o", entry->names[0], entry->mode & 07777);
	return err;
}

static int link_name(struct carried_files *files, struct carried_file *made, const char *path)
{
	const char *name;
	auto_fd int dir = path_open_parent(path, &name);
	char self[64];
	struct stat st;
	int slot;

	if (dir < 0)
		return fail(-dir, "%s: its directory can't be opened; make it first", path);
	if (fstat(made->fd, &st))
		return fail_errno("%s: fstat", path);
	slot = guard_name_add(files->guard, path, &st, 0);
	if (slot < 0)
		return slot;
	made->slots[made->n_slots++] = slot;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", made->fd);
	if (linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW))
		return fail_errno("%s: give the file its name", path);
	return 0;
}

static int make_file(struct carried_files *files, const CarriedFileEntry *carried, const struct model *model,
		     const struct image_dir *dir)
{
	struct carried_file *made;
	int fd = make_inode(files, carried->file), err;

	if (fd < 0)
		return fd;
	made = VEC_ADD(&files->made);
	made->entry = carried->file;
	made->fd = fd;
	made->slots = xalloc(carried->file->n_names * sizeof(int));
	err = fill(fd, carried, model, dir);
	err = err ?: set_attributes(fd, carried->file);
	for (size_t i = 0; i < carried->file->n_names && !err; i++)
		err = link_name(files, made, carried->file->names[i]);
	if (!err)
		pr_info("%s: made again, %llu bytes", carried->file->names[0], (unsigned long long)carried->file->size);
	return err;
}

int carried_make(const struct model *model, const struct image_dir *dir, struct guard *guard,
		 struct carried_files **ret)
{
	struct carried_files *files = xalloc(sizeof(*files));
	int err = 0;

	files->guard = guard;
	for (size_t i = 0; i < model->carried_files.n && !err; i++) {
		const CarriedFileEntry *carried = model->carried_files.data[i];
		bool there = false;

		err = look_for(carried, &there);
		if (!err && !there)
			err = make_file(files, carried, model, dir);
	}
	*ret = files;
	return err;
}

static struct timespec to_timespec(const ShmemFileTime *time)
{
	if (!time)
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	return (struct timespec){ .tv_sec = time->sec, .tv_nsec = time->nsec };
}

int carried_settle(struct carried_files *files)
{
	int err = 0;

	for (size_t i = 0; i < files->made.n && !err; i++) {
		const struct carried_file *made = &files->made.data[i];

		err = remap_set_times(made->fd, made->entry->names[0], to_timespec(made->entry->atim),
				      to_timespec(made->entry->mtim));
	}
	return err;
}

void carried_keep(struct carried_files *files)
{
	for (size_t i = 0; i < files->made.n; i++)
		for (size_t n = 0; n < files->made.data[i].n_slots; n++)
			guard_name_drop(files->guard, files->made.data[i].slots[n]);
}

void carried_free(struct carried_files *files)
{
	if (!files)
		return;
	for (size_t i = 0; i < files->made.n; i++) {
		close_fdp(&files->made.data[i].fd);
		free(files->made.data[i].slots);
	}
	VEC_FREE(&files->made);
	free(files);
}
