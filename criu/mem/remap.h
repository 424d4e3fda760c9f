/*
 * Deleted names: files that a task still holds although their path is gone.
 * Decided once per inode, in the plan, when all tasks have been looked at:
 *
 *   links left  mapped MAP_SHARED       decision
 *   0           by a task of the tree   SHMEM: shared object (mem/shmem.h)
 *   0           no, but shared outside  SHMEM, as --external-holders says (mem/external.h)
 *   0           no                      GHOST: copy, limited by --ghost-limit
 *   1 or more   any                     LINKED: --link-remap, a temporary hard link
 *
 * A count of 1 or more with no name that could be linked (a removed file of an
 * overlay's lower layer) is as good as 0.
 */
#ifndef CRIU_MEM_REMAP_H
#define CRIU_MEM_REMAP_H

#include "image/image.h"
#include "mem/guard.h"
#include "mem/shmem.h"

/* --- dump ------------------------------------------------------------------ */

/** remap_needed - is @inode's name (as this holder sees it) gone, or taken by another inode? */
bool remap_needed(const struct inode *inode, const char *path);

/**
 * remap_plan_file - note that the name of regular-file entry @file is gone
 *
 * What becomes of it is decided by remap_plan(), because another task of the tree may turn out to map the inode
 * shared. Refuses at once only what no decision could save.
 */
int must_check remap_plan_file(struct inode *inode, const FileEntry *file, struct model *model,
			       const struct options *options, struct refusals *refusals);

/**
 * remap_plan - decide about every inode that remap_plan_file() was called for
 *
 * To be called once, after all mappings and descriptors were collected and before anything is written. Adds to
 * @model->remaps, ghosts and files (SHMEM metadata is added by shmem_dump()), or refuses: over
 * --ghost-limit, or links left without --link-remap.
 */
int must_check remap_plan(struct inodes *inodes, struct model *model, const struct options *options,
			  struct refusals *refusals);

/**
 * remap_dump - write ghost images and make the link-remap links
 *
 * Before image_write(): the links' names become part of the model here.
 */
int must_check remap_dump(struct inodes *inodes, struct model *model, struct image_dir *dir);

/** remap_undo - remove the link-remap links of a dump that failed or leaves the tasks running. */
void remap_undo(struct inodes *inodes);

/**
 * remap_unlink - remove @path if it is still the inode of @inode_fd
 * Return: 0, also if it is not; -errno, not logged.
 */
int must_check remap_unlink(const char *path, int inode_fd);

/* --- restore --------------------------------------------------------------- */

struct remap_restore;

/**
 * remap_make - make every ghost and find every link-remap; SHMEM objects come from @shmem
 * Nothing keeps a name when it returns, and nothing does if we are killed meanwhile (restore guard).
 */
int must_check remap_make(const struct model *model, const struct image_dir *dir, const struct options *options,
			  struct shmem_restore *shmem, struct guard *guard, struct remap_restore **ret);

/**
 * remap_fd - for a regular-file entry with a remap: a descriptor of the object to
 * reopen through /proc/self/fd (O_PATH); -ENOENT (silently) if @file_id has no remap. Borrowed.
 */
int must_check remap_fd(const struct remap_restore *remaps, uint32_t file_id);

/** remap_object - the shared object behind a regular-file entry with a remap; 0: there is none. */
uint32_t remap_object(const struct remap_restore *remaps, uint32_t file_id);

/** remap_settle - once every holder is attached: the times of ghosts, which mapping them has moved. */
int must_check remap_settle(struct remap_restore *remaps);

/**
 * remap_finish - after every holder has been attached: drop descriptors, remove link-remap links.
 */
int must_check remap_finish(struct remap_restore *remaps);
void remap_restore_free(struct remap_restore *remaps);

struct tmpfs_mounts;

/*
 * remap_make_unnamed - an unlinked file that reads as @path in /proc/PID/maps
 *
 * O_TMPFILE in the directory of @path, @fill()ed, linked as @path for the
 * moment it takes to open it, unlinked. If the directory is gone or takes no file: in the
 * nearest one above it that does, on a file system of the same type, or an error; if the name is taken: under
 * a name beside it. File systems without O_TMPFILE: a temporary name from the start.
 * All names are registered with the guard (mem/guard.h) before they exist.
 */
struct unnamed_file {
	const char *const *paths; /* the names holders see; absolute, all different; at least one */
	size_t n_paths;
	mode_t mode; /* type included */
	uid_t uid;
	gid_t gid;
	dev_t rdev; /* of device files */
	const char *symlink_target;
	uint64_t size;
	struct timespec atime, mtime;
	ShmemFileXattr *const *xattrs;
	size_t n_xattrs;
	uint64_t fs_magic;		/* of the file system it lived on; a change is refused; 0: not known */
	const char *fs_type;		/* its name, for messages; may be NULL */
	const char *fs_options;		/* tmpfs_options() of it; a change is warned about; NULL: not known */
	struct tmpfs_mounts *mounts;	/* with @fs_magic: to compare them */
	struct guard *guard;		/* borrowed; may be NULL */
	int (*fill)(int fd, void *arg); /* regular files of @size > 0 */
	void *fill_arg;
};

/** ret_fds: one O_PATH descriptor per path, in order, owned by the caller; to be reopened through /proc/self/fd. */
int must_check remap_make_unnamed(const struct unnamed_file *file, int *ret_fds);

/**
 * remap_open_as - the inode of @fd, which has a link left, opened (O_PATH) through the name @path for a moment
 * @own_path: that link; where @path can't be, its directory is used
 */
int must_check remap_open_as(int fd, const char *own_path, const char *path, struct guard *guard, int *ret_fd);

/** remap_set_times - access and modification time of @fd, whatever its kind and mode. */
int must_check remap_set_times(int fd, const char *path, struct timespec atime, struct timespec mtime);

#endif
