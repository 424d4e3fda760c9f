/* A shared object's metadata and pages as a ghost file of chunks: what is no page is no chunk, so holes stay. */
#include "image/convert.h"
#include "image/image-table.h"
#include "image/pages.h"
#include "util/interrupt.h"
#include "util/log.h"

#define COPY_BYTES (1024 * 1024UL)

struct copy {
	struct image_writer *writer;
	const struct shmem_file_image *file;
	int pages_fd;
	char *buf;
};

static Timeval *new_timeval(struct arena *arena, const ShmemFileTime *time)
{
	Timeval *entry;

	if (!time)
		return NULL;
	entry = arena_new_of(arena, Timeval);
	timeval__init(entry);
	entry->tv_sec = time->sec;
	entry->tv_usec = time->nsec / 1000;
	return entry;
}

static int write_metadata(const struct copy *copy, struct arena *arena)
{
	const ShmemFileEntry *from = copy->file->entry;
	GhostFileEntry ghost = GHOST_FILE_ENTRY__INIT;

	ghost.uid = from->uid;
	ghost.gid = from->gid;
	ghost.mode = from->mode;
	ghost.atim = new_timeval(arena, from->atim);
	ghost.mtim = new_timeval(arena, from->mtim);
	ghost.has_atim_nsec = from->atim != NULL;
	ghost.atim_nsec = from->atim ? from->atim->nsec % 1000 : 0;
	ghost.has_mtim_nsec = from->mtim != NULL;
	ghost.mtim_nsec = from->mtim ? from->mtim->nsec % 1000 : 0;
	ghost.xattrs = from->xattrs;
	ghost.n_xattrs = from->n_xattrs;
	ghost.has_chunks = ghost.chunks = true;
	ghost.has_size = true;
	ghost.size = from->size;
	return image_write_entry(copy->writer, &ghost.base);
}

static int copy_bytes(const struct copy *copy, uint64_t from, uint64_t bytes)
{
	while (bytes) {
		uint64_t part = min_u64(bytes, COPY_BYTES);
		int err = pages_read_bytes(copy->pages_fd, copy->buf, part, from);

		if (!err)
			err = image_write_raw(copy->writer, copy->buf, part) ?: interrupt_pending();
		if (err)
			return err;
		from += part;
		bytes -= part;
	}
	return 0;
}

static int copy_range(const struct copy *copy, const struct page_range *range)
{
	GhostChunkEntry chunk = GHOST_CHUNK_ENTRY__INIT;
	uint64_t bytes;
	int err = page_range_bytes(range, copy->file->entry->size, copy->file->entry->names[0], &bytes);

	if (err)
		return err;
	chunk.off = range->vaddr;
	chunk.len = bytes;
	return image_write_entry(copy->writer, &chunk.base) ?: copy_bytes(copy, range->file_offset, chunk.len);
}

static int write_ghost(struct copy *copy, const struct pagemap *map, struct arena *arena)
{
	int err = write_metadata(copy, arena);

	for (size_t i = 0; i < map->n_ranges && !err; i++)
		err = copy_range(copy, &map->ranges[i]);
	return err;
}

int convert_ghost(struct image_dir *dir, const struct shmem_file_image *file, uint32_t id, uint64_t *ret_pages)
{
	struct arena *arena cleanup_with(arena_freep) = arena_new();
	auto_free char *buf = xalloc(COPY_BYTES);
	struct copy copy = { .file = file, .buf = buf };
	struct pagemap map;
	int err;

	LOG_SCOPE("shared object", file->id);
	err = pagemap_read(dir, IMAGE_PAGEMAP_SHMEM, file->id, arena, &map);
	if (err)
		return err;
	copy.pages_fd = map.pages_fd;
	err = image_create(dir, IMAGE_GHOST_FILE, id, &copy.writer);
	if (!err) {
		err = write_ghost(&copy, &map, arena);
		if (err)
			image_abort(copy.writer);
		else
			err = image_finish(copy.writer);
	}
	*ret_pages += map.nr_pages;
	pagemap_close(&map);
	return err;
}
