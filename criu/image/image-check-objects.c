/* What file entries lead to: terminals, memfds, ghosts, shared objects, pipes. */
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "image/image-check-files.h"
#include "kernel/hugepages.h"
#include "util/log.h"

#define TERMIOS_CHARS_MAX     32
#define XATTR_NAME_MAX_BYTES  255
#define XATTR_VALUE_MAX_BYTES 65536

int image_check_path(const char *path, const char *what, uint32_t id)
{
	if (path[0] != '/' || strlen(path) >= PATH_MAX)
		return fail(EINVAL, "%s %u: name '%.64s' is not an absolute path", what, id, path);
	return 0;
}

static int check_tty(const TtyInfoEntry *tty)
{
	const TermiosEntry *termios[] = { tty->termios, tty->termios_locked };

	for (size_t i = 0; i < ARRAY_SIZE(termios); i++)
		if (termios[i] && termios[i]->n_c_cc > TERMIOS_CHARS_MAX)
			return fail(EINVAL, "tty-info.img: terminal %u: %zu control characters", tty->id,
				    termios[i]->n_c_cc);
	if (tty->type == TTY_TYPE__PTY && !tty->pty)
		return fail(EINVAL, "tty-info.img: terminal %u: a pty without its number", tty->id);
	return 0;
}

static int collect_ttys(const struct model *model, struct image_objects *objects)
{
	for (size_t i = 0; i < model->ttys.n; i++) {
		TtyInfoEntry *tty = model->ttys.data[i];
		int err = check_tty(tty);

		if (err)
			return err;
		if (hash_put(&objects->ttys, tty->id, 0, tty))
			return fail(EINVAL, "tty-info.img: terminal %u is there twice", tty->id);
	}
	return 0;
}

static int check_time(const ShmemFileTime *time, const char *what, uint64_t id)
{
	if (time && time->nsec >= 1000000000)
		return fail(EINVAL, "%s %llu: a time with %u nanoseconds", what, (unsigned long long)id, time->nsec);
	return 0;
}

/* @nsec: what comes on top of the microseconds. */
static int check_timeval(const Timeval *time, uint32_t nsec, uint32_t id)
{
	if (time && (time->tv_usec >= 1000000 || nsec >= 1000))
		return fail(EINVAL, "ghost-file-%x.img: a time with %llu microseconds and %u nanoseconds", id,
			    (unsigned long long)time->tv_usec, nsec);
	return 0;
}

static int check_xattrs(ShmemFileXattr *const *xattrs, size_t n, const char *what, uint64_t id)
{
	for (size_t i = 0; i < n; i++)
		if (!xattrs[i]->name[0] || strlen(xattrs[i]->name) > XATTR_NAME_MAX_BYTES ||
		    xattrs[i]->value.len > XATTR_VALUE_MAX_BYTES)
			return fail(EINVAL, "%s %llu: extended attribute %zu is too long or has no name", what,
				    (unsigned long long)id, i);
	return 0;
}

static int check_memfd(const MemfdInodeEntry *memfd)
{
	static const char what[] = "memfd.img: memfd";
	int err;

	if (memfd->size > INT64_MAX)
		return fail(EINVAL, "memfd.img: memfd %llu: size %llu", (unsigned long long)memfd->inode_id,
			    (unsigned long long)memfd->size);
	if (memfd->hugetlb_flag && (!huge_flag_is_valid(memfd->hugetlb_flag, MFD_HUGETLB) ||
				    memfd->size % huge_flag_bytes(memfd->hugetlb_flag)))
		return fail(EINVAL, "memfd.img: memfd %llu: %llu bytes in huge pages of flags %#x",
			    (unsigned long long)memfd->inode_id, (unsigned long long)memfd->size, memfd->hugetlb_flag);
	err = check_time(memfd->atim, what, memfd->inode_id);
	err = err ?: check_time(memfd->mtim, what, memfd->inode_id);
	return err ?: check_xattrs(memfd->xattrs, memfd->n_xattrs, what, memfd->inode_id);
}

static int collect_memfds(const struct model *model, struct image_objects *objects)
{
	for (size_t i = 0; i < model->memfds.n; i++) {
		MemfdInodeEntry *memfd = model->memfds.data[i];
		int err = check_memfd(memfd);

		if (err)
			return err;
		if (hash_put(&objects->memfds, memfd->inode_id, 0, memfd))
			return fail(EINVAL, "memfd.img: memfd %llu is there twice",
				    (unsigned long long)memfd->inode_id);
	}
	return 0;
}

static int check_ghost(const struct ghost_image *ghost)
{
	const GhostFileEntry *entry = ghost->entry;
	mode_t type = entry->mode & S_IFMT;
	int err;

	if (type != S_IFREG && type != S_IFDIR && type != S_IFIFO && type != S_IFLNK && type != S_IFSOCK &&
	    type != S_IFCHR && type != S_IFBLK)
		return fail(EINVAL, "ghost-file-%x.img: mode %#o is of no kind of file", ghost->id, entry->mode);
	if (entry->size > INT64_MAX)
		return fail(EINVAL, "ghost-file-%x.img: size %llu", ghost->id, (unsigned long long)entry->size);
	err = check_timeval(entry->atim, entry->atim_nsec, ghost->id);
	err = err ?: check_timeval(entry->mtim, entry->mtim_nsec, ghost->id);
	return err ?: check_xattrs(entry->xattrs, entry->n_xattrs, "ghost file", ghost->id);
}

static int collect_ghosts(const struct model *model, struct image_objects *objects)
{
	for (size_t i = 0; i < model->ghosts.n; i++) {
		struct ghost_image *ghost = &model->ghosts.data[i];
		int err = check_ghost(ghost);

		if (err)
			return err;
		hash_put(&objects->ghosts, ghost->id, 0, ghost);
	}
	return 0;
}

static int check_shmem_file(const struct shmem_file_image *file)
{
	static const char what[] = "shmem-file";
	const ShmemFileEntry *entry = file->entry;
	int err = 0;

	if (!entry->n_names)
		return fail(EINVAL, "shmem-file-%u.img: no name", file->id);
	for (size_t i = 0; i < entry->n_names && !err; i++)
		err = image_check_path(entry->names[i], what, file->id);
	err = err ?: check_time(entry->atim, what, file->id);
	err = err ?: check_time(entry->mtim, what, file->id);
	err = err ?: check_time(entry->ctim, what, file->id);
	if (err)
		return err;
	if (!S_ISREG(entry->mode))
		return fail(EINVAL, "shmem-file-%u.img: mode %#o is not a regular file's", file->id, entry->mode);
	if (entry->size > INT64_MAX)
		return fail(EINVAL, "shmem-file-%u.img: size %llu", file->id, (unsigned long long)entry->size);
	return check_xattrs(entry->xattrs, entry->n_xattrs, what, file->id);
}

static int check_carried_file(const CarriedFileEntry *carried)
{
	const struct shmem_file_image file = { .id = carried->id, .entry = carried->file };

	int err = check_shmem_file(&file);

	for (size_t i = 0; i < carried->n_other_names && !err; i++)
		err = image_check_path(carried->other_names[i], "carried-files", carried->id);
	return err;
}

static int check_carried_dir(const CarriedDirEntry *dir, uint32_t number)
{
	int err = image_check_path(dir->path, "carried-dirs", number);

	if (err)
		return err;
	if (!S_ISDIR(dir->mode))
		return fail(EINVAL, "carried-dirs.img: %s: mode %#o is not a directory's", dir->path, dir->mode);
	return check_xattrs(dir->xattrs, dir->n_xattrs, "carried-dirs", number);
}

static int check_external_object(const struct model *model, const ExternalObjectEntry *entry)
{
	const FhEntry *handle = entry->handle;

	if (handle && !image_handle_is_whole(handle))
		return fail(EINVAL, "external-objects.img: file handle of %u bytes in %zu words", handle->bytes,
			    handle->n_handle);
	for (size_t i = 0; i < entry->n_holders; i++) {
		const ExternalHolderEntry *holder = entry->holders[i];

		if (!holder->pid || holder->pid > INT32_MAX || (holder->has_fd && holder->fd > INT32_MAX) ||
		    (!holder->has_fd && holder->start >= holder->end) ||
		    (holder->has_tid && (!holder->has_fd || !holder->tid || holder->tid > INT32_MAX)) ||
		    (holder->has_file_id && (!holder->has_fd || !model_file(model, holder->file_id))))
			return fail(EINVAL, "external-objects.img: holder %zu of object %llu", i,
				    (unsigned long long)entry->id);
	}
	return 0;
}

static int check_external_objects(const struct model *model)
{
	struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->external_objects.n && !err; i++) {
		ExternalObjectEntry *entry = model->external_objects.data[i];

		err = check_external_object(model, entry);
		if (!err && hash_put(&seen, entry->id, 0, entry))
			err = fail(EINVAL, "external-objects.img: object %llu twice", (unsigned long long)entry->id);
	}
	hash_free(&seen);
	return err;
}

static int collect_shmem_files(const struct model *model, struct image_objects *objects)
{
	for (size_t i = 0; i < model->shmem_files.n; i++) {
		struct shmem_file_image *file = &model->shmem_files.data[i];
		int err = check_shmem_file(file);

		if (err)
			return err;
		hash_put(&objects->shmem_files, file->id, 0, file);
	}
	return 0;
}

static int check_stretches(const PipeDataEntry *entry)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < entry->n_stretches; i++)
		bytes += entry->stretches[i];
	if (bytes > entry->bytes)
		return fail(EINVAL, "pipe %u: packets of %llu bytes in %u", entry->pipe_id, (unsigned long long)bytes,
			    entry->bytes);
	return 0;
}

static int collect_pipes(const struct model *model, struct image_objects *objects)
{
	for (size_t i = 0; i < model->pipe_data.n; i++) {
		struct pipe_data_image *data = &model->pipe_data.data[i];
		const PipeDataEntry *entry = data->entry;
		int err;

		if (entry->has_size && (entry->size > INT32_MAX || entry->bytes > entry->size))
			return fail(EINVAL, "pipe %u: %u bytes in a pipe of %u", entry->pipe_id, entry->bytes,
				    entry->size);
		err = check_stretches(entry);
		if (err)
			return err;
		if (hash_put(&objects->pipes, entry->pipe_id, data->fifo, data))
			return fail(EINVAL, "%s: pipe %u is there twice",
				    data->fifo ? "fifo-data.img" : "pipes-data.img", entry->pipe_id);
	}
	return 0;
}

int image_objects_collect(const struct model *model, struct image_objects *objects)
{
	int err = collect_ttys(model, objects);

	err = err ?: collect_memfds(model, objects);
	err = err ?: collect_ghosts(model, objects);
	err = err ?: collect_shmem_files(model, objects);
	err = err ?: check_external_objects(model);
	for (size_t i = 0; i < model->carried_files.n && !err; i++)
		err = check_carried_file(model->carried_files.data[i]);
	for (size_t i = 0; i < model->carried_dirs.n && !err; i++)
		err = check_carried_dir(model->carried_dirs.data[i], i);
	return err ?: collect_pipes(model, objects);
}

void image_objects_free(struct image_objects *objects)
{
	hash_free(&objects->ttys);
	hash_free(&objects->memfds);
	hash_free(&objects->pipes);
	hash_free(&objects->ghosts);
	hash_free(&objects->shmem_files);
	hash_free(&objects->sockets);
}
