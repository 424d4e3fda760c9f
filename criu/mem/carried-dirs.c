/*
 * The kernel keeps: mode, owner, extended attributes (access control lists among them) of each directory. Lost: their
 * times, which the making of files in them changes anyway.
 *
 * A directory is made under a random name, gets its attributes, and only then its own name: nobody ever sees it with
 * other rights than it had.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "kernel/path.h"
#include "mem/carried-dirs.h"
#include "mem/fs-place.h"
#include "mem/inode.h"
#include "mem/xattrs.h"
#include "util/log.h"

/* From "/a/b" to "/a", from "/a" to "/"; false from "/". */
static bool to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || !strcmp(path, "/"))
		return false;
	slash[slash == path ? 1 : 0] = '\0';
	return true;
}

/* FNV-1a; two of different bases are taken for the path itself. */
static uint64_t path_hash(const char *path, uint64_t hash)
{
	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3;
	return hash;
}

#define PATH_KEY(path) path_hash((path), 0xcbf29ce484222325), path_hash((path), 0x84222325cbf29ce4)

/* --- dump ------------------------------------------------------------------ */

static bool is_mount_root(int fd)
{
	struct statx stx;

	return !statx(fd, "", AT_EMPTY_PATH, 0, &stx) && (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

char *carried_mount_root(const char *path)
{
	char *dir = xstrdup(path);

	while (to_parent(dir)) {
		auto_fd int fd = path_open(dir, O_PATH | O_DIRECTORY);

		if (fd >= 0 && is_mount_root(fd))
			break;
	}
	return dir;
}

/* *ret_more: there may be more of it above. */
static int add_dir(const char *path, dev_t dev, struct model *model, bool *ret_more)
{
	auto_fd int fd = path_open(path, O_RDONLY | O_DIRECTORY);
	CarriedDirEntry *entry;
	struct stat st;

	*ret_more = false;
	if (fd < 0)
		return fail(-fd, "%s: open the directory of a file that is carried", path);
	if (fstat(fd, &st))
		return fail_errno("%s: fstat", path);
	if (st.st_dev != dev || is_mount_root(fd))
		return 0;
	*ret_more = true;
	entry = model_new(model, CarriedDirEntry, carried_dir_entry__init);
	entry->path = arena_strdup(model->arena, path);
	entry->mode = st.st_mode;
	entry->uid = st.st_uid;
	entry->gid = st.st_gid;
	VEC_PUSH(&model->carried_dirs, entry);
	return xattrs_read(fd, path, model->arena, &entry->xattrs, &entry->n_xattrs);
}

int carried_dirs_add(const char *path, dev_t dev, struct hash *seen, struct model *model)
{
	auto_free char *dir = xstrdup(path);
	bool more = true;
	int err = 0;

	while (!err && more && to_parent(dir) && !hash_put(seen, PATH_KEY(dir), model))
		err = add_dir(dir, dev, model, &more);
	return err;
}

/* --- restore --------------------------------------------------------------- */

struct carried_dirs {
	struct guard *guard;
	struct hash by_path;
	VEC(int) slots; /* of those made, in the guard */
};

struct carried_dirs *carried_dirs_new(const struct model *model, struct guard *guard)
{
	struct carried_dirs *dirs = xalloc(sizeof(*dirs));

	dirs->guard = guard;
	for (size_t i = 0; i < model->carried_dirs.n; i++)
		hash_put(&dirs->by_path, PATH_KEY(model->carried_dirs.data[i]->path), model->carried_dirs.data[i]);
	return dirs;
}

static int set_attributes(int fd, const CarriedDirEntry *entry)
{
	char self[64];
	int err;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fchown(fd, entry->uid, entry->gid))
		return fail_errno("%s: set owner %u:%u", entry->path, entry->uid, entry->gid);
	/* What the directory above hands down. */
	fremovexattr(fd, "system.posix_acl_access");
	fremovexattr(fd, "system.posix_acl_default");
	err = xattrs_apply(self, entry->path, entry->xattrs, entry->n_xattrs);
	if (!err && fchmod(fd, entry->mode & 07777))
		err = fail_errno("%s: set mode %#o", entry->path, entry->mode & 07777);
	return err;
}

static int give_name(struct carried_dirs *dirs, const CarriedDirEntry *entry, int fd, int parent, const char *temporary,
		     const char *name)
{
	struct stat st;
	int slot;

	if (fstat(fd, &st))
		return fail_errno("%s: fstat", entry->path);
	slot = guard_name_add(dirs->guard, entry->path, &st, GUARD_DIR | GUARD_UNTIL_CANCEL);
	if (slot < 0)
		return slot;
	if (renameat2(parent, temporary, parent, name, RENAME_NOREPLACE)) {
		int err = fail_errno("%s: give the directory its name", entry->path);

		guard_name_drop(dirs->guard, slot);
		return err;
	}
	VEC_PUSH(&dirs->slots, slot);
	return 0;
}

static int make_and_name(struct carried_dirs *dirs, const CarriedDirEntry *entry, int parent, const char *temporary,
			 const char *name, int slot)
{
	auto_fd int fd = -1;
	struct stat st;
	int err;

	if (mkdirat(parent, temporary, 0700))
		return fail_errno("%s: make the directory again%s", entry->path, fs_room_hint(errno));
	fd = openat(parent, temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		err = fail_errno("%s: open the directory that was made", entry->path);
	} else {
		guard_name_inode(dirs->guard, slot, &st);
		err = set_attributes(fd, entry) ?: give_name(dirs, entry, fd, parent, temporary, name);
	}
	if (err && unlinkat(parent, temporary, AT_REMOVEDIR))
		pr_warn("%s beside %s: temporary name stays: %s", temporary, entry->path, strerror(errno));
	return err ?: take_fd(&fd);
}

static int make_dir(struct carried_dirs *dirs, const CarriedDirEntry *entry, int parent)
{
	const char *name = strrchr(entry->path, '/') + 1;
	auto_free char *path = NULL;
	char temporary[64];
	uint64_t noise[2];
	int slot, fd;

	if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
		return fail_errno("getrandom");
	snprintf(temporary, sizeof(temporary), ".criu-%016llx%016llx", (unsigned long long)noise[0],
		 (unsigned long long)noise[1]);
	path = xasprintf("%.*s%s", (int)(name - entry->path), entry->path, temporary);
	slot = guard_name_add(dirs->guard, path, NULL, GUARD_DIR);
	if (slot < 0)
		return slot;
	fd = make_and_name(dirs, entry, parent, temporary, name, slot);
	guard_name_drop(dirs->guard, slot);
	if (fd >= 0)
		pr_info("%s: directory made again", entry->path);
	return fd;
}

/* O_PATH or better. */
static int open_or_make(struct carried_dirs *dirs, const char *path, struct tmpfs_mounts *mounts)
{
	const CarriedDirEntry *entry = hash_get(&dirs->by_path, PATH_KEY(path));
	auto_fd int fd = path_open(path, O_PATH | O_DIRECTORY);
	struct fs_place place = { .path = path, .magic = FS_MAGIC_TMPFS, .type = "tmpfs", .mounts = mounts };
	auto_free char *above = NULL;
	int err;

	if (fd >= 0)
		return take_fd(&fd);
	if (fd != -ENOENT)
		return fail(-fd, "%s: the directory of a file that is to be made again can't be opened", path);
	above = xstrdup(path);
	if (!entry || strcmp(entry->path, path) != 0 || !to_parent(above))
		return fail(ENOENT,
			    "%s: the tmpfs of a file that is to be made again was mounted here or above; mount it "
			    "again",
			    path);
	fd = open_or_make(dirs, above, mounts);
	if (fd < 0)
		return fd;
	place.dir = above;
	place.dir_fd = fd;
	err = fs_place_check(&place);
	return err ?: make_dir(dirs, entry, fd);
}

int carried_dirs_open_parent(struct carried_dirs *dirs, const char *path, struct tmpfs_mounts *mounts,
			     const char **ret_name)
{
	auto_free char *dir = xstrdup(path);
	int fd;

	if (!to_parent(dir) || !strrchr(path, '/')[1])
		return fail(EINVAL, "\"%s\": not the absolute path of a file", path);
	fd = open_or_make(dirs, dir, mounts);
	if (fd >= 0)
		*ret_name = strrchr(path, '/') + 1;
	return fd;
}

void carried_dirs_keep(struct carried_dirs *dirs)
{
	for (size_t i = 0; i < dirs->slots.n; i++)
		guard_name_drop(dirs->guard, dirs->slots.data[i]);
}

void carried_dirs_free(struct carried_dirs *dirs)
{
	if (!dirs)
		return;
	hash_free(&dirs->by_path);
	VEC_FREE(&dirs->slots);
	free(dirs);
}
