/*
 * Deleted names at dump. What the kernel shows: " (deleted)" belongs to the directory entry a file was opened
 * through, the link count to the inode; either may be there without the other. What decides is whether the
 * path leads to this inode now, and whether the inode has any link left.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/vfs.h>

#include "kernel/path.h"
#include "mem/carried.h"
#include "mem/ghost.h"
#include "mem/overlay.h"
#include "mem/remap.h"
#include "util/log.h"

#define FS_MAGIC_PROC	0x9fa0
#define LINK_NAME	"link_remap."
#define LINK_NAME_TRIES 100

bool remap_needed(const struct inode *inode, const char *path)
{
	/* As restore opens it. */
	auto_fd int fd = path_open(path, O_PATH | O_NOFOLLOW);

	/* What the path leads to has taken its place. */
	return inode->is_lower || fd < 0 || inode_same(inode->fd, fd) != 1;
}

int remap_plan_file(struct inode *inode, const FileEntry *file, struct model *model, const struct options *options,
		    struct refusals *refusals)
{
	if (inode->fs_magic == FS_MAGIC_PROC)
		refuse_object(refusals, inode->id,
			      "%s: held open, but belongs to a process that has ended: not supported; close it before "
			      "the dump",
			      file->reg->name);
	else if (S_ISSOCK(inode->st.st_mode))
		refuse_object(refusals, inode->id,
			      "%s: a deleted socket file that is held by its path: not supported; close it before the "
			      "dump",
			      file->reg->name);
	else
		VEC_PUSH(&inode->remap_files, file);
	return 0;
}

static void add_remap(struct model *model, const FileEntry *file, RemapType type, uint32_t id)
{
	RemapFilePathEntry *remap = model_new(model, RemapFilePathEntry, remap_file_path_entry__init);

	remap->orig_id = file->id;
	remap->remap_id = id;
	remap->has_remap_type = true;
	remap->remap_type = type;
	VEC_PUSH(&model->remaps, remap);
}

static void add_remaps(struct model *model, const struct inode *inode, RemapType type, uint32_t id)
{
	for (size_t i = 0; i < inode->remap_files.n; i++)
		add_remap(model, inode->remap_files.data[i], type, id);
}

/* --- ghosts ---------------------------------------------------------------------- */

static int plan_ghost(struct inode *inode, struct model *model, const struct options *options,
		      struct refusals *refusals)
{
	uint64_t allocated = (uint64_t)inode->st.st_blocks * 512;
	auto_free char *where = inode_first_holder(inode);
	struct ghost_image *ghost;

	if (S_ISREG(inode->st.st_mode) && allocated > options->ghost_limit_bytes) {
		refuse_object(refusals, inode->id,
			      "%s, %s: deleted file of %llu allocated bytes is larger than --ghost-limit (%llu): raise "
			      "the limit to save a copy of it",
			      inode->name, where, (unsigned long long)allocated,
			      (unsigned long long)options->ghost_limit_bytes);
		return 0;
	}
	ghost = VEC_ADD(&model->ghosts);
	ghost->id = inode->ghost_id = model->ghosts.n;
	add_remaps(model, inode, REMAP_TYPE__GHOST, inode->ghost_id);
	return ghost_entry(inode, model->arena, &ghost->entry);
}

/* --- links ------------------------------------------------------------------------ */

/* The directory of @path, or the nearest above it that exists; *ret_fd is -1 if none can be opened. */
static char *nearest_dir(const char *path, int *ret_fd)
{
	char *dir = xstrdup(path);

	for (;;) {
		char *slash = strrchr(dir, '/');

		if (!slash || slash == dir) {
			strcpy(dir, "/");
			*ret_fd = path_open(dir, O_PATH | O_DIRECTORY);
			return dir;
		}
		*slash = '\0';
		*ret_fd = path_open(dir, O_PATH | O_DIRECTORY);
		if (*ret_fd >= 0)
			return dir;
	}
}

static bool same_file_system(const struct inode *inode, int dir_fd)
{
	struct statfs a, b;

	return !fstatfs(inode->fd, &a) && !fstatfs(dir_fd, &b) && a.f_type == b.f_type &&
	       !memcmp(&a.f_fsid, &b.f_fsid, sizeof(a.f_fsid));
}

static int plan_link(struct inode *inode, struct model *model, const struct options *options, struct refusals *refusals)
{
	const FileEntry *file = inode->remap_files.data[0];
	auto_fd int dir_fd = -1;
	auto_free char *dir = nearest_dir(file->reg->name, &dir_fd);
	auto_free char *where = inode_first_holder(inode);
	RegFileEntry *reg;

	if (S_ISDIR(inode->st.st_mode) || !same_file_system(inode, dir_fd)) {
		refuse_object(refusals, inode->id,
			      "%s, %s: this path leads to another file now, but the one held was not deleted: is "
			      "something mounted over it, or was its own mount detached? Close it before the dump",
			      file->reg->name, where);
		return 0;
	}
	if (!options->link_remap) {
		refuse_object(refusals, inode->id,
			      "%s, %s: the name is gone, but the file has links left (%llu): --link-remap makes a "
			      "temporary one",
			      file->reg->name, where, (unsigned long long)inode->st.st_nlink);
		return 0;
	}
	inode->link = model_add_file(model, FD_TYPES__REG);
	reg = model_new(model, RegFileEntry, reg_file_entry__init);
	inode->link->reg = reg;
	reg->id = inode->link->id;
	reg->flags = file->reg->flags;
	reg->fown = file->reg->fown;
	reg->has_size = reg->has_mode = true;
	reg->size = inode->st.st_size;
	reg->mode = inode->st.st_mode;
	reg->name = arena_printf(model->arena, "%s/" LINK_NAME "%u", strcmp(dir, "/") ? dir : "", reg->id);
	add_remaps(model, inode, REMAP_TYPE__LINKED, reg->id);
	carried_note_link(inode, options);
	return 0;
}

static int try_link(struct inodes *inodes, struct inode *inode)
{
	const char *path = inode->link->reg->name, *name;
	auto_fd int dir_fd = path_open_parent(path, &name);
	char from[64];
	int err;

	if (dir_fd < 0)
		return dir_fd;
	inode->link_slot = guard_name_add(inodes->guard, path, &inode->st, GUARD_UNTIL_COMMIT);
	if (inode->link_slot < 0)
		return inode->link_slot;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", inode->fd);
	if (!linkat(AT_FDCWD, from, dir_fd, name, AT_SYMLINK_FOLLOW)) {
		inode->link_made = true;
		return 0;
	}
	err = -errno;
	guard_name_drop(inodes->guard, inode->link_slot);
	return err;
}

int remap_unlink(const char *path, int inode_fd)
{
	const char *name;
	auto_fd int dir_fd = path_open_parent(path, &name);
	auto_fd int fd = dir_fd < 0 ? -1 : openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	/* Whoever removed or replaced it did our work. */
	if (fd < 0 || inode_same(fd, inode_fd) != 1)
		return 0;
	return unlinkat(dir_fd, name, 0) ? -errno : 0;
}

/* An earlier dump's link may have the name; any number will do, readers take the name from the entry. */
static int make_link(struct inodes *inodes, struct inode *inode, struct model *model)
{
	RegFileEntry *reg = inode->link->reg;
	int err = try_link(inodes, inode);

	for (int i = 0; err == -EEXIST && i < LINK_NAME_TRIES; i++) {
		int dir_len = (int)(strrchr(reg->name, '/') - reg->name);
		uint32_t number = 0;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			break;
		reg->name = arena_printf(model->arena, "%.*s/" LINK_NAME "%u", dir_len, reg->name, number);
		err = try_link(inodes, inode);
	}
	if (err)
		return fail(-err, "%s: link the deleted file %s (links left: %llu) back here", reg->name, inode->name,
			    (unsigned long long)inode->st.st_nlink);
	return 0;
}

/* ---------------------------------------------------------------------------------- */

static int plan_inode(struct inode *inode, struct model *model, const struct options *options,
		      struct refusals *refusals)
{
	if (!inode->unlinked)
		return plan_link(inode, model, options, refusals);
	inode->was_lower = overlay_was_lower(inode);
	if (!shmem_is_object(inode))
		return plan_ghost(inode, model, options, refusals);
	add_remaps(model, inode, REMAP_TYPE__SHMEM, inode->id);
	return 0;
}

int remap_plan(struct inodes *inodes, struct model *model, const struct options *options, struct refusals *refusals)
{
	int err = 0;

	for (size_t i = 0; i < inodes->all.n && !err; i++)
		if (inodes->all.data[i]->remap_files.n)
			err = plan_inode(inodes->all.data[i], model, options, refusals);
	return err;
}

int remap_dump(struct inodes *inodes, struct model *model, struct image_dir *dir)
{
	int err = 0;

	for (size_t i = 0; i < inodes->all.n && !err; i++) {
		struct inode *inode = inodes->all.data[i];

		if (inode->ghost_id)
			err = ghost_dump(dir, inode, inode->ghost_id, model->ghosts.data[inode->ghost_id - 1].entry);
		if (!err && inode->link)
			err = make_link(inodes, inode, model);
	}
	return err;
}

void remap_undo(struct inodes *inodes)
{
	for (size_t i = 0; i < inodes->all.n; i++) {
		struct inode *inode = inodes->all.data[i];
		int err;

		if (!inode->link_made)
			continue;
		err = remap_unlink(inode->link->reg->name, inode->fd);
		if (err)
			pr_warn("%s: the temporary link stays: %s", inode->link->reg->name, strerror(-err));
		inode->link_made = false;
		guard_name_drop(inodes->guard, inode->link_slot);
	}
}
