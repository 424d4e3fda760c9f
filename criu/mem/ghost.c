/*
 * The image has two forms for the content of a regular file: the rest of the image as it is, or, from
 * CHUNKED_MIN_BYTES on, runs of data each behind an entry with its place, so that holes stay holes.
 * Times have microseconds only and extended attributes no place in mainline's format: the rest of the times, and the
 * attributes, are in fields of ours.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "mem/fs-place.h"
#include "mem/ghost.h"
#include "mem/remap.h"
#include "mem/xattrs.h"
#include "util/log.h"

#define CHUNKED_MIN_BYTES 12288
#define COPY_BYTES	  (1024 * 1024UL)

/* --- dump ---------------------------------------------------------------------- */

static Timeval *new_timeval(struct arena *arena, const struct timespec *time)
{
	Timeval *entry = arena_new_of(arena, Timeval);

	timeval__init(entry);
	entry->tv_sec = time->tv_sec;
	entry->tv_usec = time->tv_nsec / 1000;
	return entry;
}

int ghost_entry(const struct inode *inode, struct arena *arena, GhostFileEntry **ret)
{
	GhostFileEntry *entry = arena_new_of(arena, GhostFileEntry);
	const struct stat *st = &inode->st;

	ghost_file_entry__init(entry);
	entry->uid = st->st_uid;
	entry->gid = st->st_gid;
	entry->mode = st->st_mode;
	entry->has_dev = entry->has_ino = true;
	entry->dev = major(st->st_dev) << 20 | minor(st->st_dev);
	entry->ino = st->st_ino;
	entry->atim = new_timeval(arena, &st->st_atim);
	entry->mtim = new_timeval(arena, &st->st_mtim);
	entry->atim_nsec = st->st_atim.tv_nsec % 1000;
	entry->mtim_nsec = st->st_mtim.tv_nsec % 1000;
	entry->has_atim_nsec = entry->atim_nsec;
	entry->has_mtim_nsec = entry->mtim_nsec;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		entry->has_rdev = true;
		entry->rdev = st->st_rdev;
	}
	if (S_ISREG(st->st_mode) && st->st_size >= CHUNKED_MIN_BYTES) {
		entry->has_chunks = entry->chunks = true;
		entry->has_size = true;
		entry->size = st->st_size;
	}
	if (S_ISLNK(st->st_mode)) {
		char target[PATH_MAX];
		ssize_t n = readlinkat(inode->fd, "", target, sizeof(target) - 1);

		if (n < 0)
			return fail_errno("%s: read the symbolic link", inode->name);
		target[n] = '\0';
		entry->symlnk_target = arena_strdup(arena, target);
	}
	*ret = entry;
	return xattrs_read(inode->fd, inode->name, arena, &entry->xattrs, &entry->n_xattrs);
}

static int copy_out(struct image_writer *writer, const struct inode *inode, int fd, uint64_t start, uint64_t end)
{
	/* A sparse file has many short chunks. */
	auto_free void *buf = xalloc(min_u64(COPY_BYTES, end - start));

	while (start < end) {
		ssize_t n = pread(fd, buf, min_u64(COPY_BYTES, end - start), (off_t)start);
		int err;

		if (n < 0)
			return fail_errno("%s: read at %#llx", inode->name, (unsigned long long)start);
		if (n == 0)
			return fail(EBUSY, "%s: became shorter during the dump", inode->name);
		err = image_write_raw(writer, buf, n);
		if (err)
			return err;
		start += n;
	}
	return 0;
}

static int dump_chunks(struct image_writer *writer, const struct inode *inode, int fd, uint64_t size)
{
	off_t data = lseek(fd, 0, SEEK_DATA);

	while (data >= 0 && (uint64_t)data < size) {
		GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;
		off_t hole = lseek(fd, data, SEEK_HOLE);
		int err;

		if (hole < 0)
			return fail_errno("%s: look for a hole", inode->name);
		chunk.off = data;
		chunk.len = min_u64(hole, size) - data;
		err = image_write_entry(writer, &chunk.base) ?: copy_out(writer, inode, fd, data, data + chunk.len);
		if (err)
			return err;
		data = lseek(fd, hole, SEEK_DATA);
	}
	return data < 0 && errno != ENXIO ? fail_errno("%s: look for data", inode->name) : 0;
}

static int dump_content(struct image_writer *writer, const struct inode *inode, const GhostFileEntry *entry)
{
	auto_fd int fd = -1;

	if (!S_ISREG(entry->mode))
		return 0;
	fd = inode_open_to_read(inode);
	if (fd < 0)
		return fd;
	return entry->chunks ? dump_chunks(writer, inode, fd, entry->size)
			     : copy_out(writer, inode, fd, 0, inode->st.st_size);
}

int ghost_dump(struct image_dir *dir, const struct inode *inode, uint32_t id, const GhostFileEntry *entry)
{
	struct image_writer *writer;
	int err;

	err = image_create(dir, IMAGE_GHOST_FILE, id, &writer);
	if (err)
		return err;
	err = image_write_entry(writer, &entry->base) ?: dump_content(writer, inode, entry);
	if (err) {
		image_abort(writer);
		return err;
	}
	return image_finish(writer);
}

/* --- restore ------------------------------------------------------------------- */

struct ghost_content {
	struct image_reader *reader;
	const GhostFileEntry *entry;
	const char *path; /* for messages */
	uint32_t id;
	uint64_t size;
};

static int copy_in(const struct ghost_content *content, int fd, uint64_t offset, uint64_t bytes)
{
	auto_free char *buf = xalloc(min_u64(COPY_BYTES, bytes));

	while (bytes) {
		size_t part = min_u64(bytes, COPY_BYTES);
		int err = image_read_raw(content->reader, buf, part);

		for (size_t done = 0; !err && done < part;) {
			ssize_t n = pwrite(fd, buf + done, part - done, (off_t)(offset + done));

			if (n < 0)
				return fail_errno("%s: write %zu bytes at %#llx of %llu%s", content->path, part - done,
						  (unsigned long long)(offset + done),
						  (unsigned long long)content->size, fs_room_hint(errno));
			done += n;
		}
		if (err)
			return err;
		offset += part;
		bytes -= part;
	}
	return 0;
}

static int fill_chunks(const struct ghost_content *content, int fd)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	void *entry;
	int err;

	while ((err = image_read_entry(content->reader, &ghost_chunk_entry__descriptor, arena, &entry)) > 0) {
		const GhostChunkEntry *chunk = entry;

		if (chunk->off > content->size || chunk->len > content->size - chunk->off)
			return fail(EINVAL, "ghost-file-%x.img: %llu bytes at %llu in a file of %llu", content->id,
				    (unsigned long long)chunk->len, (unsigned long long)chunk->off,
				    (unsigned long long)content->size);
		err = copy_in(content, fd, chunk->off, chunk->len);
		if (err)
			return err;
	}
	return err;
}

static int fill_ghost(int fd, void *arg)
{
	const struct ghost_content *content = arg;

	return content->entry->chunks ? fill_chunks(content, fd) : copy_in(content, fd, 0, content->size);
}

static int open_content(const struct image_dir *dir, struct ghost_content *content, struct arena *arena)
{
	uint64_t offset, bytes;
	int err, fd;
	void *entry;

	err = image_open(dir, IMAGE_GHOST_FILE, content->id, &content->reader);
	if (err)
		return err == -ENOENT ? fail(ENOENT, "ghost-file-%x.img is missing", content->id) : err;
	err = image_read_entry(content->reader, &ghost_file_entry__descriptor, arena, &entry);
	if (err <= 0)
		return err ?: fail(EINVAL, "ghost-file-%x.img is empty", content->id);
	err = image_rest(content->reader, &fd, &offset, &bytes);
	content->size = content->entry->chunks ? content->entry->size : bytes;
	return err;
}

/* @nsec: what comes on top of the microseconds. */
static struct timespec to_timespec(const Timeval *time, uint32_t nsec)
{
	if (!time)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	return (struct timespec){ .tv_sec = time->tv_sec, .tv_nsec = time->tv_usec * 1000 + nsec };
}

int ghost_set_times(const GhostFileEntry *entry, int fd, const char *path)
{
	return remap_set_times(fd, path, to_timespec(entry->atim, entry->atim_nsec),
			       to_timespec(entry->mtim, entry->mtim_nsec));
}

int ghost_make(const struct image_dir *dir, const struct ghost_image *ghost, const char *const *paths, size_t n_paths,
	       struct guard *guard, int *ret_fds)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	struct ghost_content content = { .entry = ghost->entry, .path = paths[0], .id = ghost->id };
	const GhostFileEntry *entry = ghost->entry;
	int err = open_content(dir, &content, arena);
	struct unnamed_file file = {
		.paths = paths,
		.n_paths = n_paths,
		.mode = entry->mode,
		.uid = entry->uid,
		.gid = entry->gid,
		.rdev = entry->has_rdev ? entry->rdev : 0,
		.symlink_target = entry->symlnk_target,
		.size = content.size,
		.atime = to_timespec(entry->atim, entry->atim_nsec),
		.mtime = to_timespec(entry->mtim, entry->mtim_nsec),
		.xattrs = entry->xattrs,
		.n_xattrs = entry->n_xattrs,
		.guard = guard,
		.fill = fill_ghost,
		.fill_arg = &content,
	};

	LOG_SCOPE_HEX("ghost file", ghost->id);
	err = err ?: remap_make_unnamed(&file, ret_fds);
	if (content.reader)
		image_close(content.reader);
	return err;
}
