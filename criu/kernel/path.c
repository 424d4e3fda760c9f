#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#include "kernel/path.h"
#include "util/mem.h"

static bool leads_to(const char *path, const struct stat *st)
{
	struct stat there;

	return path[0] == '/' && !lstat(path, &there) && there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

size_t path_bare_len(const char *text, const struct stat *st)
{
	size_t len = strlen(text), suffix = strlen(PATH_DELETED_SUFFIX);

	if (len <= suffix || strcmp(text + len - suffix, PATH_DELETED_SUFFIX) || (st && leads_to(text, st)))
		return len;
	return len - suffix;
}

int path_open(const char *path, int flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int fd;

	/* Unlike open(2), it refuses what O_PATH has no use for. */
	if (flags & O_PATH)
		how.flags &= O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC;
	fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int path_open_parent(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = NULL;
	int fd;

	if (path[0] != '/' || !slash[1])
		return -EINVAL;
	dir = xstrdup(path);
	dir[slash == path ? 1 : slash - path] = '\0';
	fd = path_open(dir, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		*ret_name = slash + 1;
	return fd;
}
