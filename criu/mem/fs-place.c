#include <errno.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "mem/fs-place.h"
#include "mem/inode.h"
#include "util/log.h"

/* As a user knows it, where that is known. */
static char *type_name(const char *fstype, uint64_t magic)
{
	return fstype && *fstype ? xstrdup(fstype) : xasprintf("%#llx", (unsigned long long)magic);
}

static bool in_memory(uint64_t magic)
{
	return (uint32_t)magic == FS_MAGIC_TMPFS || (uint32_t)magic == FS_MAGIC_HUGETLBFS;
}

/* On a host whose disks are of another type it is a file on a disk all the same. */
static bool is_as_good(const struct fs_place *place, uint64_t magic)
{
	return !place->refused && !in_memory(place->magic) && !in_memory(magic);
}

int fs_place_check(const struct fs_place *place)
{
	const struct proc_mount *mount = NULL;
	auto_free char *was = NULL, *is = NULL;
	struct statfs fs;
	struct stat st;

	if (!place->magic)
		return 0;
	if (fstatfs(place->dir_fd, &fs) || fstat(place->dir_fd, &st))
		return fail_errno("%s: which file system it is on", place->dir);
	if ((uint32_t)fs.f_type == (uint32_t)place->magic)
		return 0;
	if (place->mounts)
		mount = tmpfs_mount_of(place->mounts, st.st_dev);
	was = type_name(place->type, place->magic);
	is = type_name(mount ? mount->fstype : NULL, (uint32_t)fs.f_type);
	if (is_as_good(place, (uint32_t)fs.f_type)) {
		pr_warn("%s: was on a file system of type %s, and is made in %s, on one of type %s: speed, quota and "
			"limits may differ",
			place->path, was, place->dir, is);
		return 0;
	}
	if (place->refused)
		return fail(-place->refused,
			    "%s: its directory takes no file, and %s above it is on a file system of another type (%s, "
			    "was "
			    "%s): make that of the file writable again (mount -o remount,rw)",
			    place->path, place->dir, is, was);
	return fail(ENODEV,
		    "%s: was on a file system of type %s, and %s is on one of type %s: mount one of type %s there "
		    "again",
		    place->path, was, place->dir, is, was);
}

const char *fs_room_hint(int err)
{
	if (err != ENOSPC && err != EDQUOT)
		return "";
	return " (make room there, or raise the limit; of a tmpfs with mount -o remount,size=SIZE,nr_inodes=NUMBER)";
}
