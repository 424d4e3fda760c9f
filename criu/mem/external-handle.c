#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "kernel/path.h"
#include "kernel/proc.h"
#include "mem/external-handle.h"
#include "util/log.h"

/* The kernel takes no O_PATH descriptor as an anchor. */
static bool is_on(int fd, dev_t dev)
{
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && st.st_dev == dev;
}

/* The nearest directory above @path that is there. */
static int open_above(const char *path, dev_t dev)
{
	auto_free char *dir = xstrdup(path);
	char *slash;

	while ((slash = strrchr(dir, '/'))) {
		auto_fd int fd = -1;

		*slash = '\0';
		fd = path_open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY);
		if (is_on(fd, dev))
			return take_fd(&fd);
	}
	return -ENOENT;
}

static int open_mount(dev_t dev)
{
	proc_mounts mounts = { 0 };
	int ret = -ENOENT;

	if (proc_read_mounts(getpid(), &mounts))
		return -ENOENT;
	for (size_t i = 0; i < mounts.n && ret < 0; i++) {
		const struct proc_mount *mount = &mounts.data[i];
		auto_fd int fd = -1;

		if (makedev(mount->dev_major, mount->dev_minor) != dev)
			continue;
		/* The mount point of a single file may be anything. */
		fd = path_open(mount->mountpoint, O_RDONLY | O_DIRECTORY);
		if (is_on(fd, dev))
			ret = take_fd(&fd);
	}
	proc_mounts_free(&mounts);
	return ret;
}

int handle_anchor(dev_t dev, const char *path)
{
	/* Memfds and anonymous shared memory live on a tmpfs that is mounted nowhere. */
	auto_fd int memfd = memfd_create("criu-anchor", MFD_CLOEXEC);
	int fd;

	if (is_on(memfd, dev))
		return take_fd(&memfd);
	fd = path[0] == '/' ? open_above(path, dev) : -ENOENT;
	return fd >= 0 ? fd : open_mount(dev);
}

int handle_open(int anchor, const struct inode_handle *handle)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(handle->data)];
	} u = { .handle.handle_bytes = handle->bytes, .handle.handle_type = handle->type };
	int fd;

	memcpy(u.handle.f_handle, handle->data, handle->bytes);
	fd = open_by_handle_at(anchor, &u.handle, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

const char *boot_id(void)
{
	static char id[PROC_BOOT_ID_BYTES];

	if (!id[0] && !proc_read_boot_id(id))
		id[0] = '\0';
	return id;
}
