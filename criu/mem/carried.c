/*
 * The dump knows the names by which the tree uses a file, and looks for the others on the mount of the first if the
 * link count says that there are more. A file whose own name is gone but that has links left is carried as well: its
 * temporary link (--link-remap) is on the file system that may be lost, and is the first of its names then.
 *
 * Restore looks at all names before it makes anything. If one of them leads to the file that was saved, that is left
 * as it is, and only gets back the names by which the tree uses it.
 */
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "image/pages.h"
#include "kernel/path.h"
#include "mem/carried-dirs.h"
#include "mem/carried.h"
#include "mem/external-handle.h"
#include "mem/fs-place.h"
#include "mem/remap.h"
#include "mem/shmem-fill.h"
#include "mem/tmpfs.h"
#include "mem/xattrs.h"
#include "util/log.h"

/* --- dump ------------------------------------------------------------------ */

static bool can_carry(const struct inode *inode, const struct options *options)
{
	return options->tmpfs_content && inode->kind == INODE_FILE && inode->fs_magic == FS_MAGIC_TMPFS &&
	       S_ISREG(inode->st.st_mode);
}

void carried_note(struct inode *inode, const char *path, const struct options *options)
{
	if (!can_carry(inode, options))
		return;
	inode->carry = true;
	for (size_t i = 0; i < inode->carried_names.n; i++)
		if (!strcmp(inode->carried_names.data[i], path))
			return;
	VEC_PUSH(&inode->carried_names, path);
}

void carried_note_link(struct inode *inode, const struct options *options)
{
	if (can_carry(inode, options))
		inode->carry = true;
}

void carried_add(struct inode *inode, ShmemFileEntry *file, struct model *model)
{
	CarriedFileEntry *entry = model_new(model, CarriedFileEntry, carried_file_entry__init);

	entry->id = inode->id;
	entry->file = file;
	entry->boot_id = arena_strdup(model->arena, boot_id());
	entry->dev = inode->st.st_dev;
	entry->ino = inode->st.st_ino;
	VEC_PUSH(&model->carried_files, entry);
	inode->carried = entry;
}

/* Those by which the tree knows it. */
static void add_names(const struct inode *inode, struct model *model)
{
	ShmemFileEntry *file = inode->carried->file;

	file->names = arena_array(model->arena, char *, inode->carried_names.n + 1);
	if (inode->link)
		file->names[file->n_names++] = inode->link->reg->name;
	for (size_t i = 0; i < inode->carried_names.n; i++)
		file->names[file->n_names++] = (char *)inode->carried_names.data[i];
}

static bool has_name(const CarriedFileEntry *carried, const char *path)
{
	for (size_t i = 0; i < carried->file->n_names; i++)
		if (!strcmp(carried->file->names[i], path))
			return true;
	return false;
}

/* What one file still lacks; its names are as many as links. */
struct lacking {
	struct inode *inode;
	size_t links;
	bool searched;
};

static bool is_complete(const struct lacking *file)
{
	return file->inode->carried->file->n_names + file->inode->carried->n_other_names >= file->links;
}

static void take_name(struct lacking *file, const char *path, struct model *model)
{
	CarriedFileEntry *carried = file->inode->carried;

	if (is_complete(file) || has_name(carried, path))
		return;
	if (!carried->other_names)
		carried->other_names = arena_array(model->arena, char *, file->links);
	carried->other_names[carried->n_other_names++] = arena_strdup(model->arena, path);
}

/* One walk serves all files of the mount. */
static int search_mount(const char *root, const struct hash *by_number, struct model *model)
{
	FTS *walk = fts_open((char *[]){ (char *)root, NULL }, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	FTSENT *entry;

	if (!walk)
		return fail_errno("%s: look for the names of files", root);
	while ((entry = fts_read(walk))) {
		struct lacking *file;

		if (entry->fts_info != FTS_F)
			continue;
		file = hash_get(by_number, entry->fts_statp->st_dev, entry->fts_statp->st_ino);
		if (file)
			take_name(file, entry->fts_path, model);
	}
	fts_close(walk);
	return 0;
}

static int search_names(struct lacking *files, size_t n, struct model *model)
{
	struct hash by_number = { 0 };
	int err = 0;

	for (size_t i = 0; i < n; i++)
		hash_put(&by_number, files[i].inode->st.st_dev, files[i].inode->st.st_ino, &files[i]);
	for (size_t i = 0; i < n && !err; i++) {
		auto_free char *root = NULL;

		if (files[i].searched || is_complete(&files[i]))
			continue;
		root = carried_mount_root(files[i].inode->carried->file->names[0]);
		err = search_mount(root, &by_number, model);
		/* It is what the others of this file system would be looked for in, too. */
		for (size_t j = i; j < n; j++)
			if (files[j].inode->st.st_dev == files[i].inode->st.st_dev)
				files[j].searched = true;
	}
	hash_free(&by_number);
	for (size_t i = 0; i < n && !err; i++)
		if (!is_complete(&files[i]))
			pr_warn("%s: has %zu names, of which %zu were not found: should the file be lost, they stay "
				"lost",
				files[i].inode->carried->file->names[0], files[i].links,
				files[i].links - files[i].inode->carried->file->n_names -
					files[i].inode->carried->n_other_names);
	return err;
}

static int add_dirs(const struct inode *inode, struct hash *seen, struct model *model)
{
	const CarriedFileEntry *carried = inode->carried;
	int err = 0;

	for (size_t i = 0; i < carried->file->n_names && !err; i++)
		err = carried_dirs_add(carried->file->names[i], inode->st.st_dev, seen, model);
	for (size_t i = 0; i < carried->n_other_names && !err; i++)
		err = carried_dirs_add(carried->other_names[i], inode->st.st_dev, seen, model);
	return err;
}

int carried_dump(struct inodes *inodes, struct model *model)
{
	VEC(struct lacking) lacking = { 0 };
	struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; i < inodes->all.n && !err; i++) {
		struct inode *inode = inodes->all.data[i];
		struct stat st;

		if (!inode->carried)
			continue;
		add_names(inode, model);
		if (fstat(inode->fd, &st))
			err = fail_errno("%s: fstat", inode->name);
		else if (st.st_nlink > inode->carried->file->n_names)
			*VEC_ADD(&lacking) = (struct lacking){ .inode = inode, .links = st.st_nlink };
	}
	if (!err && lacking.n)
		err = search_names(lacking.data, lacking.n, model);
	for (size_t i = 0; i < inodes->all.n && !err; i++)
		if (inodes->all.data[i]->carried)
			err = add_dirs(inodes->all.data[i], &seen, model);
	VEC_FREE(&lacking);
	hash_free(&seen);
	return err;
}

/* --- restore --------------------------------------------------------------- */

struct carried_file {
	const ShmemFileEntry *entry; /* NULL: it was there, and only got names */
	int fd;
	int *slots; /* of the names, in the guard */
	size_t n_slots;
};

struct carried_files {
	struct guard *guard;
	struct carried_dirs *dirs;
	struct tmpfs_mounts mounts;
	VEC(struct carried_file) made;
};

/* What was found under the names of a file. */
struct found {
	int fd;		   /* of the file that was saved; -1: it is gone */
	bool *missing;	   /* one for each name of the tree's */
	const char *alien; /* one of the other names that leads elsewhere */
};

/* 1: @path leads to the file, of which *ret_fd is a descriptor then; 0: to nothing; -EEXIST: to another file */
static int look_at(const CarriedFileEntry *carried, const char *path, int *ret_fd)
{
	auto_fd int fd = path_open(path, O_PATH | O_NOFOLLOW);
	struct stat st;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fail(-fd, "%s: look for it", path);
	if (fstat(fd, &st))
		return fail_errno("%s: fstat", path);
	if (strcmp(carried->boot_id, boot_id()) != 0 || st.st_dev != carried->dev || st.st_ino != carried->ino)
		return -EEXIST;
	if (*ret_fd < 0)
		*ret_fd = take_fd(&fd);
	return 1;
}

static int fail_alien(const char *path)
{
	return fail(EEXIST, "%s: is there and is not the file that was saved; remove or rename it", path);
}

static int look_for(const CarriedFileEntry *carried, struct found *found)
{
	int ret = 0;

	for (size_t i = 0; i < carried->file->n_names && ret >= 0; i++) {
		ret = look_at(carried, carried->file->names[i], &found->fd);
		if (ret == -EEXIST)
			return fail_alien(carried->file->names[i]);
		found->missing[i] = !ret;
	}
	for (size_t i = 0; i < carried->n_other_names && ret >= 0; i++) {
		ret = look_at(carried, carried->other_names[i], &found->fd);
		if (ret == -EEXIST) {
			found->alien = carried->other_names[i];
			ret = 0;
		}
	}
	return ret < 0 ? ret : 0;
}

static int make_inode(struct carried_files *files, const ShmemFileEntry *entry)
{
	const char *name, *path = entry->names[0];
	auto_fd int dir = carried_dirs_open_parent(files->dirs, path, &files->mounts, &name), fd = -1;
	auto_free char *dir_path = NULL;
	struct fs_place place = {
		.path = path,
		.magic = entry->fs_magic,
		.type = entry->fs_type,
		.dir_fd = dir,
		.mounts = &files->mounts,
	};
	int err;

	if (dir < 0)
		return dir;
	place.dir = dir_path = xasprintf("%.*s", (int)(name - path), path);
	err = fs_place_check(&place);
	if (err)
		return err;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail_errno("%s: make it again%s", path, fs_room_hint(errno));
	tmpfs_compare(&files->mounts, path, entry->fs_options, fd);
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
	/* A default ACL of the directory would otherwise show through. */
	fremovexattr(fd, "system.posix_acl_access");
	err = xattrs_apply(self, entry->names[0], entry->xattrs, entry->n_xattrs);
	if (!err && fchmod(fd, entry->mode & 07777))
		err = fail_errno("%s: set mode %#o", entry->names[0], entry->mode & 07777);
	return err;
}

static int link_name(struct carried_files *files, struct carried_file *made, const char *path)
{
	const char *name;
	auto_fd int dir = carried_dirs_open_parent(files->dirs, path, &files->mounts, &name);
	char self[64];
	struct stat st;
	int slot;

	if (dir < 0)
		return dir;
	if (fstat(made->fd, &st))
		return fail_errno("%s: fstat", path);
	slot = guard_name_add(files->guard, path, &st, GUARD_UNTIL_CANCEL);
	if (slot < 0)
		return slot;
	made->slots[made->n_slots++] = slot;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", made->fd);
	if (linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW))
		return fail_errno("%s: give the file its name", path);
	return 0;
}

/* A descriptor open for writing would keep the file from being anybody's executable. */
static int weaken(struct carried_file *made)
{
	char self[64];
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", made->fd);
	fd = open(self, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("%s: reopen", made->entry->names[0]);
	close(made->fd);
	made->fd = fd;
	return 0;
}

static struct carried_file *new_file(struct carried_files *files, const CarriedFileEntry *carried, int fd)
{
	struct carried_file *made = VEC_ADD(&files->made);

	made->fd = fd;
	made->slots = xalloc((carried->file->n_names + carried->n_other_names) * sizeof(int));
	return made;
}

static int make_file(struct carried_files *files, const CarriedFileEntry *carried, const struct model *model,
		     const struct image_dir *dir)
{
	struct carried_file *made;
	int fd = make_inode(files, carried->file), err;

	if (fd < 0)
		return fd;
	made = new_file(files, carried, fd);
	made->entry = carried->file;
	err = fill(fd, carried, model, dir);
	err = err ?: set_attributes(fd, carried->file);
	err = err ?: weaken(made);
	for (size_t i = 0; i < carried->file->n_names && !err; i++)
		err = link_name(files, made, carried->file->names[i]);
	for (size_t i = 0; i < carried->n_other_names && !err; i++)
		err = link_name(files, made, carried->other_names[i]);
	if (!err)
		pr_info("%s: made again, %llu bytes", carried->file->names[0], (unsigned long long)carried->file->size);
	return err;
}

static int give_names(struct carried_files *files, const CarriedFileEntry *carried, struct found *found)
{
	struct carried_file *made = new_file(files, carried, take_fd(&found->fd));
	int err = 0;

	for (size_t i = 0; i < carried->file->n_names && !err; i++)
		if (found->missing[i])
			err = link_name(files, made, carried->file->names[i]);
	return err;
}

static int find_or_make(struct carried_files *files, const CarriedFileEntry *carried, const struct model *model,
			const struct image_dir *dir)
{
	auto_free bool *missing = xalloc(carried->file->n_names * sizeof(bool));
	struct found found = { .fd = -1, .missing = missing };
	int err = look_for(carried, &found);

	if (!err && found.fd >= 0)
		err = give_names(files, carried, &found);
	else if (!err && found.alien)
		err = fail_alien(found.alien);
	else if (!err)
		err = make_file(files, carried, model, dir);
	close_fdp(&found.fd);
	return err;
}

int carried_make(const struct model *model, const struct image_dir *dir, struct guard *guard,
		 struct carried_files **ret)
{
	struct carried_files *files = xalloc(sizeof(*files));
	int err = 0;

	files->guard = guard;
	files->dirs = carried_dirs_new(model, guard);
	for (size_t i = 0; i < model->carried_files.n && !err; i++)
		err = find_or_make(files, model->carried_files.data[i], model, dir);
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

		if (!made->entry)
			continue;
		err = remap_set_times(made->fd, made->entry->names[0], to_timespec(made->entry->atim),
				      to_timespec(made->entry->mtim));
	}
	return err;
}

void carried_keep(struct carried_files *files)
{
	carried_dirs_keep(files->dirs);
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
	carried_dirs_free(files->dirs);
	tmpfs_mounts_free(&files->mounts);
	free(files);
}
