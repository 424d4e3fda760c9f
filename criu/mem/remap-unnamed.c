/*
 * A file without a name, but whose descriptors read as one. The kernel shows the directory entry a file was
 * opened through, also after that entry was removed: so the name has to exist for the moment of open(2). A
 * link count of 0 can't be raised again, except for an O_TMPFILE file that never had a name; so all names
 * are made before the first is removed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "kernel/path.h"
#include "mem/fs-place.h"
#include "mem/remap.h"
#include "mem/tmpfs.h"
#include "mem/xattrs.h"
#include "util/log.h"

#define BESIDE_TRIES 1000

/* A directory entry, existing or wanted. */
struct place {
	char *dir;  /* absolute; owned */
	int dir_fd; /* owned */
};

/* One of the names the inode has for a moment. */
struct link {
	struct place dir;
	char name[NAME_MAX + 1];
	char *path; /* both together; owned */
	int slot;   /* in the guard */
	bool made;
};

struct making {
	const struct unnamed_file *file;
	struct place home; /* where the inode is made */
	int fd;		   /* of the inode; owned by the caller */
	struct stat st;
	char temporary[64]; /* its name in home.dir, "" if it has none */
	int temporary_slot;
	struct link *links; /* one per path */
};

static void place_close(struct place *place)
{
	if (place->dir_fd >= 0)
		close(place->dir_fd);
	free(place->dir);
	*place = (struct place){ .dir_fd = -1 };
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* From "/a/b" to "/a", from "/a" to "/"; false from "/". */
static bool to_parent(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || !strcmp(path, "/"))
		return false;
	slash[slash == path ? 1 : 0] = '\0';
	return true;
}

static char *path_in(const struct place *place, const char *name)
{
	return xasprintf("%s/%s", strcmp(place->dir, "/") ? place->dir : "", name);
}

/* The nearest directory at or above @dir that exists; shortens place->dir as it goes. */
static int place_open(struct place *place)
{
	int err;

	do {
		place->dir_fd = path_open(place->dir, O_PATH | O_DIRECTORY);
		if (place->dir_fd >= 0)
			return 0;
		err = place->dir_fd;
		/* A symbolic link is as good as nothing: the names that tasks see have none in them. */
	} while ((err == -ENOENT || err == -ENOTDIR || err == -ELOOP) && to_parent(place->dir));
	return fail(-err, "%s: open the directory", place->dir);
}

static int place_above(const char *path, struct place *ret)
{
	ret->dir = xstrdup(path);
	if (path[0] != '/' || !to_parent(ret->dir)) {
		place_close(ret);
		return fail(EINVAL, "\"%s\": not the absolute path of a file", path);
	}
	return place_open(ret);
}

/* A descriptor open for writing would keep the file from being anybody's executable. */
#define HOLD_FLAGS (O_PATH | O_NOFOLLOW | O_CLOEXEC)

static void fd_path(int fd, char ret[32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", fd);
}

/* --- the inode ----------------------------------------------------------------- */

static int make_node(const struct unnamed_file *file, int dir_fd, const char *name)
{
	if (S_ISREG(file->mode)) {
		int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		return fd < 0 ? -errno : close(fd);
	}
	if (S_ISDIR(file->mode))
		return mkdirat(dir_fd, name, 0700) ? -errno : 0;
	if (S_ISLNK(file->mode))
		return symlinkat(file->symlink_target ?: "", dir_fd, name) ? -errno : 0;
	return mknodat(dir_fd, name, (file->mode & S_IFMT) | 0600, file->rdev) ? -errno : 0;
}

/* Which inode it is was never seen: that nobody else can have chosen the name has to do. */
static int drop_unknown(struct making *making, int err)
{
	if (unlinkat(making->home.dir_fd, making->temporary, S_ISDIR(making->file->mode) ? AT_REMOVEDIR : 0))
		pr_warn("%s/%s: temporary name stays: %s", making->home.dir, making->temporary, strerror(errno));
	guard_name_drop(making->file->guard, making->temporary_slot);
	making->temporary[0] = '\0';
	close_fdp(&making->fd);
	making->fd = -1;
	return err;
}

/* Under a random name of its own: types that O_TMPFILE can't make, and file systems without it. */
static int make_named(struct making *making)
{
	const struct unnamed_file *file = making->file;
	auto_free char *path = NULL;
	uint64_t noise[2];
	int err;

	if (getrandom(noise, sizeof(noise), 0) != sizeof(noise))
		return -errno;
	snprintf(making->temporary, sizeof(making->temporary), ".criu-%016llx%016llx", (unsigned long long)noise[0],
		 (unsigned long long)noise[1]);
	path = path_in(&making->home, making->temporary);
	making->temporary_slot = guard_name_add(file->guard, path, NULL, S_ISDIR(file->mode) ? GUARD_DIR : 0);
	if (making->temporary_slot < 0)
		return making->temporary_slot;
	err = make_node(file, making->home.dir_fd, making->temporary);
	if (err) {
		guard_name_drop(file->guard, making->temporary_slot);
		making->temporary[0] = '\0';
		return err;
	}
	making->fd = openat(making->home.dir_fd, making->temporary,
			    S_ISREG(file->mode) ? O_RDWR | O_NOFOLLOW | O_CLOEXEC : HOLD_FLAGS);
	if (making->fd < 0 || fstat(making->fd, &making->st))
		return drop_unknown(making, -errno);
	guard_name_inode(file->guard, making->temporary_slot, &making->st);
	return 0;
}

static int make_inode_here(struct making *making)
{
	if (S_ISREG(making->file->mode)) {
		making->fd = openat(making->home.dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (making->fd >= 0)
			return fstat(making->fd, &making->st) ? -errno : 0;
		if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
			return -errno;
	}
	return make_named(making);
}

static bool takes_no_file(int err)
{
	return err == -EROFS || err == -EACCES;
}

static int check_place(const struct making *making, int refused)
{
	const struct unnamed_file *file = making->file;
	const struct fs_place place = {
		.path = file->paths[0],
		.magic = file->fs_magic,
		.type = file->fs_type,
		.dir = making->home.dir,
		.dir_fd = making->home.dir_fd,
		.refused = refused,
		.mounts = file->mounts,
	};

	return fs_place_check(&place);
}

/* @refused: why the directory it should be made in takes no file; 0 if there is none. */
static void tell_place(const struct making *making, const char *wanted, int refused)
{
	const struct unnamed_file *file = making->file;

	if (refused)
		pr_warn("%s: its directory takes no file (%s), so it is made in %s", file->paths[0], strerror(-refused),
			making->home.dir);
	else if (strcmp(wanted, making->home.dir))
		pr_info("%s: %s is gone, so it is made in %s", file->paths[0], wanted, making->home.dir);
	if (file->fs_magic)
		tmpfs_compare(file->mounts, file->paths[0], file->fs_options, making->fd);
}

/* In the directory of the first name, or in the nearest one above it that takes a file, if it is of the same type. */
static int make_inode(struct making *making)
{
	const char *path = making->file->paths[0];
	auto_free char *wanted = xstrdup(path);
	int err = place_above(path, &making->home), refused = 0;

	if (err)
		return err;
	to_parent(wanted);
	for (;;) {
		err = check_place(making, refused);
		if (err)
			return err;
		err = make_inode_here(making);
		if (!err)
			break;
		if ((!takes_no_file(err) && err != -ENOENT) || making->temporary[0] || !to_parent(making->home.dir))
			return fail(-err, "%s: make a file in %s%s", path, making->home.dir, fs_room_hint(-err));
		refused = refused ?: err;
		close(making->home.dir_fd);
		err = place_open(&making->home);
		if (err)
			return err;
	}
	tell_place(making, wanted, refused);
	return 0;
}

/* --- names ----------------------------------------------------------------------- */

static int link_here(const struct making *making, const struct link *link)
{
	char from[32];

	if (S_ISDIR(making->file->mode))
		return renameat2(making->home.dir_fd, making->temporary, link->dir.dir_fd, link->name, RENAME_NOREPLACE)
			       ? -errno
			       : 0;
	fd_path(making->fd, from);
	return linkat(AT_FDCWD, from, link->dir.dir_fd, link->name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

static int try_name(struct making *making, struct link *link)
{
	struct guard *guard = making->file->guard;
	bool dir = S_ISDIR(making->file->mode);
	int err;

	free(link->path);
	link->path = path_in(&link->dir, link->name);
	link->slot = guard_name_add(guard, link->path, &making->st, dir ? GUARD_DIR : 0);
	if (link->slot < 0)
		return link->slot;
	err = link_here(making, link);
	if (err) {
		guard_name_drop(guard, link->slot);
		return err;
	}
	link->made = true;
	if (dir) {
		guard_name_drop(guard, making->temporary_slot);
		making->temporary[0] = '\0';
	}
	return 0;
}

/* Link as @path; where that can't be, beside it, or beside the inode. */
static int make_link(struct making *making, struct link *link, const char *path)
{
	int err = place_above(path, &link->dir);

	if (err)
		return err;
	snprintf(link->name, sizeof(link->name), "%s", base_name(path));
	for (unsigned int n = 1; n <= BESIDE_TRIES; n++) {
		err = try_name(making, link);
		if ((err == -EXDEV || takes_no_file(err)) && strcmp(link->dir.dir, making->home.dir)) {
			place_close(&link->dir);
			link->dir.dir = xstrdup(making->home.dir);
			err = place_open(&link->dir);
			if (err)
				return err;
			continue;
		}
		if (err != -EEXIST)
			break;
		snprintf(link->name, sizeof(link->name), "%.235s.criu-%u", base_name(path), n);
	}
	if (err)
		return fail(-err, "%s: give the deleted file its name for a moment", link->path);
	return 0;
}

/* Someone may have replaced the name meanwhile: only our own inode is opened and removed. */
static void remove_name(const struct making *making, const struct place *dir, const char *name, int slot)
{
	struct stat st;

	if (!fstatat(dir->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) && st.st_dev == making->st.st_dev &&
	    st.st_ino == making->st.st_ino &&
	    unlinkat(dir->dir_fd, name, S_ISDIR(making->file->mode) ? AT_REMOVEDIR : 0))
		pr_warn("%s/%s: temporary name stays: %s", dir->dir, name, strerror(errno));
	guard_name_drop(making->file->guard, slot);
}

static int open_link(const struct making *making, const struct link *link, int *ret_fd)
{
	auto_fd int fd = openat(link->dir.dir_fd, link->name, HOLD_FLAGS);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return fail_errno("%s: open", link->path);
	if (st.st_dev != making->st.st_dev || st.st_ino != making->st.st_ino)
		return fail(EBUSY, "%s: replaced by somebody while it was being made", link->path);
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * A file that was made with O_TMPFILE and never linked reads as "#NUMBER". It
 * must stay without a name: only so can its owner still link it.
 */
static bool never_had_name(const struct making *making, const char *path)
{
	const char *name = base_name(path);

	return S_ISREG(making->file->mode) && !making->temporary[0] && name[0] == '#' && name[1] &&
	       strspn(name + 1, "0123456789") == strlen(name + 1);
}

static int make_links(struct making *making)
{
	const struct unnamed_file *file = making->file;
	int err = 0;

	for (size_t i = 0; i < file->n_paths && !err; i++) {
		/* A directory has one name; a second view of it is the same entry. */
		if (never_had_name(making, file->paths[i]) || (i && S_ISDIR(file->mode)))
			continue;
		err = make_link(making, &making->links[i], file->paths[i]);
	}
	return err;
}

static int open_path(const struct making *making, size_t i, int *ret_fd)
{
	char from[32];

	if (making->links[i].made)
		return open_link(making, &making->links[i], ret_fd);
	if (S_ISDIR(making->file->mode))
		return open_link(making, &making->links[0], ret_fd);
	fd_path(making->fd, from);
	*ret_fd = open(from, HOLD_FLAGS & ~O_NOFOLLOW);
	return *ret_fd < 0 ? fail_errno("%s: reopen", making->file->paths[i]) : 0;
}

/* One descriptor per path, opened while the names exist; on error none. */
static int open_paths(struct making *making, int *ret_fds)
{
	size_t n_paths = making->file->n_paths, n = 0;
	int err;

	making->links = xalloc(n_paths * sizeof(*making->links));
	for (size_t i = 0; i < n_paths; i++)
		making->links[i].dir.dir_fd = -1;
	err = make_links(making);
	while (!err && n < n_paths) {
		err = open_path(making, n, &ret_fds[n]);
		if (!err)
			n++;
	}
	while (err && n)
		close(ret_fds[--n]);
	for (size_t i = 0; i < n_paths; i++) {
		struct link *link = &making->links[i];

		if (link->made)
			remove_name(making, &link->dir, link->name, link->slot);
		place_close(&link->dir);
		free(link->path);
	}
	free(making->links);
	return err;
}

/* --- attributes -------------------------------------------------------------------- */

int remap_set_times(int fd, const char *path, struct timespec atime, struct timespec mtime)
{
	struct timespec times[] = { atime, mtime };
	char from[32];

	fd_path(fd, from);
	return utimensat(AT_FDCWD, from, times, 0) ? fail_errno("%s: set the times", path) : 0;
}

static int fill(const struct making *making)
{
	const struct unnamed_file *file = making->file;

	if (!S_ISREG(file->mode))
		return 0;
	if (file->size > INT64_MAX)
		return fail(EFBIG, "%s: size %llu", file->paths[0], (unsigned long long)file->size);
	if (ftruncate(making->fd, (off_t)file->size))
		return fail_errno("%s: set size %llu", file->paths[0], (unsigned long long)file->size);
	return file->fill && file->size ? file->fill(making->fd, file->fill_arg) : 0;
}

/* Names exist with mode 0600 only: opening needs it, and nobody else should. */
static int set_attributes(const struct making *making)
{
	const struct unnamed_file *file = making->file;
	const char *path = file->paths[0];
	char from[32];
	int err;

	fd_path(making->fd, from);
	if (fchownat(making->fd, "", file->uid, file->gid, AT_EMPTY_PATH))
		return fail_errno("%s: set owner %u:%u", path, file->uid, file->gid);
	/* A default ACL of the directory would otherwise show through. */
	removexattr(from, "system.posix_acl_access");
	removexattr(from, "system.posix_acl_default");
	err = xattrs_apply(from, path, file->xattrs, file->n_xattrs);
	if (!err && !S_ISLNK(file->mode) && chmod(from, file->mode & 07777))
		err = fail_errno("%s: set mode %#o", path, file->mode & 07777);
	return err ?: remap_set_times(making->fd, path, file->atime, file->mtime);
}

int remap_make_unnamed(const struct unnamed_file *file, int *ret_fds)
{
	struct making making = { .file = file, .fd = -1, .home.dir_fd = -1 };
	size_t n = 0;
	int err;

	err = make_inode(&making);
	err = err ?: fill(&making);
	if (!err) {
		err = open_paths(&making, ret_fds);
		n = err ? 0 : file->n_paths;
	}
	if (making.temporary[0])
		remove_name(&making, &making.home, making.temporary, making.temporary_slot);
	err = err ?: set_attributes(&making);
	while (err && n)
		close(ret_fds[--n]);
	place_close(&making.home);
	if (making.fd >= 0)
		close(making.fd);
	return err;
}

int remap_open_as(int fd, const char *own_path, const char *path, struct guard *guard, int *ret_fd)
{
	struct unnamed_file file = { .paths = &path, .n_paths = 1, .guard = guard };
	struct making making = { .file = &file, .fd = fd, .home.dir_fd = -1 };
	int err;

	if (fstat(fd, &making.st))
		return fail_errno("%s: fstat", path);
	file.mode = making.st.st_mode;
	err = place_above(own_path, &making.home);
	err = err ?: open_paths(&making, ret_fd);
	place_close(&making.home);
	return err;
}
