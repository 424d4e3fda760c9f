#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "files/irmap.h"
#include "files/watched.h"
#include "kernel/path.h"
#include "mem/external-handle.h"

#define FH_WORDS 16 /* as many as mainline's entries have */

dev_t watched_dev(const struct watched *watched)
{
	return makedev(watched->dev >> 20, watched->dev & 0xfffff);
}

FhEntry *watched_handle(struct model *model, const struct proc_watch *watch)
{
	FhEntry *fh = model_new(model, FhEntry, fh_entry__init);

	fh->bytes = watch->handle_bytes;
	fh->type = (uint32_t)watch->handle_type;
	fh->n_handle = FH_WORDS;
	fh->handle = arena_array(model->arena, uint64_t, FH_WORDS);
	memcpy(fh->handle, watch->handle, watch->handle_bytes);
	return fh;
}

static int open_handle(struct watched_anchor *anchor, const struct watched *watched)
{
	const FhEntry *fh = watched->handle;
	struct inode_handle handle = { .bytes = fh->bytes, .type = (int)fh->type };

	if (!handle.bytes)
		return -EOPNOTSUPP;
	memcpy(handle.data, fh->handle, handle.bytes);
	if (anchor->fd < 0 || anchor->dev != watched_dev(watched)) {
		close_fdp(&anchor->fd);
		anchor->dev = watched_dev(watched);
		anchor->fd = handle_anchor(anchor->dev, fh->path ? fh->path : "");
	}
	return anchor->fd < 0 ? -ENOENT : handle_open(anchor->fd, &handle);
}

/* --- dump ------------------------------------------------------------------------ */

/* The entry of a file of the tree that will be made again. */
static uint32_t find_deleted(struct files_dump *ctx, int fd, const struct stat *st)
{
	const struct inode *inode = inode_get(ctx->inodes, fd, st);

	return inode && inode->remap_files.n ? inode->remap_files.data[0]->id : 0;
}

/* The name the kernel knows for an inode that a handle led to, if that leads back to it. */
static void note_path(struct files_dump *ctx, int fd, FhEntry *fh)
{
	auto_free char *link = NULL;
	auto_fd int again = -1;
	char name[32];

	snprintf(name, sizeof(name), "fd/%d", fd);
	if (proc_read_link(getpid(), name, &link) || link[0] != '/')
		return;
	again = path_open(link, O_PATH | O_NOFOLLOW);
	if (again >= 0 && inode_same(fd, again) == 1)
		fh->path = arena_strdup(ctx->model->arena, link);
}

int watched_resolve(struct files_dump *ctx, struct watched_anchor *anchor, const struct watched *watched,
		    uint32_t *ret_file_id)
{
	auto_fd int fd = open_handle(anchor, watched);
	const int why = fd < 0 ? fd : 0;
	struct stat st;

	*ret_file_id = 0;
	if (why)
		fd = irmap_open(ctx, watched->dev, watched->ino);
	if (fd < 0)
		return fd == -ENOENT ? why : fd;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_nlink) {
		note_path(ctx, fd, watched->handle);
		if (why || ctx->options->force_irmap)
			watched->handle->bytes = 0;
		return watched->handle->bytes || watched->handle->path ? 0 : -ENOENT;
	}
	*ret_file_id = find_deleted(ctx, fd, &st);
	return *ret_file_id ? 0 : WATCHED_OUTSIDE;
}

/* --- restore --------------------------------------------------------------------- */

static bool is_deleted(int fd)
{
	struct stat st;

	return fstat(fd, &st) || !st.st_nlink;
}

/* What took the place of a deleted file. */
static int open_remade(struct files_restore *ctx, uint32_t file_id)
{
	int borrowed = remap_fd(ctx->remaps, file_id);
	int fd = borrowed < 0 ? borrowed : fcntl(borrowed, F_DUPFD_CLOEXEC, 0);

	return fd < 0 && borrowed >= 0 ? -errno : fd;
}

int watched_open(struct files_restore *ctx, struct watched_anchor *anchor, const struct watched *watched,
		 uint32_t file_id)
{
	const char *path = watched->handle->path;
	auto_fd int fd = -1;

	if (file_id)
		return open_remade(ctx, file_id);
	fd = open_handle(anchor, watched);
	if (fd >= 0 && !is_deleted(fd))
		return take_fd(&fd);
	return path ? path_open(path, O_PATH | O_NOFOLLOW) : -ESTALE;
}
