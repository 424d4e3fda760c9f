/*
 * Page store: pagemap-*.img and the pages-<n>.img it describes.
 *
 * Writing goes through a pipeline: the caller fills aligned buffers of
 * PAGE_BUFFER_BYTES and a few threads write them (O_DIRECT where the file
 * system allows), so that reading memory and writing the disk overlap. One
 * pipeline serves a whole dump; pages files follow each other through it.
 */
#ifndef CRIU_IMAGE_PAGES_H
#define CRIU_IMAGE_PAGES_H

#include "image/image.h"
#include "images/pagemap.pb-c.h"

#define PAGE_BUFFER_BYTES HUGE_BUFFER_UNIT

struct page_pipeline;

int must_check page_pipeline_start(struct image_dir *dir, struct page_pipeline **ret);
/** page_pipeline_finish - wait for all writes; first error of the writing threads; frees it. */
int must_check page_pipeline_finish(struct page_pipeline *pipeline);

struct page_writer;

/** page_writer_open - begin pagemap-<id> (kind IMAGE_PAGEMAP or IMAGE_PAGEMAP_SHMEM) with a fresh pages-<n>. */
int must_check page_writer_open(struct page_pipeline *pipeline, enum image_kind kind, uint64_t id,
				struct page_writer **ret);
/** page_writer_room - where the next bytes go; *ret_bytes > 0, a multiple of the page size. */
int must_check page_writer_room(struct page_writer *writer, void **ret_buf, size_t *ret_bytes);
/**
 * page_writer_add - the first @nr_pages pages of the room now hold the content of the
 * pages at @vaddr; ascending @vaddr only; adjacent runs are merged into one entry.
 */
int must_check page_writer_add(struct page_writer *writer, uint64_t vaddr, uint64_t nr_pages);
/** page_writer_set_policies - memory policies of the object, ascending; borrowed until it is closed. */
void page_writer_set_policies(struct page_writer *writer, MempolicyRangeEntry **policies, size_t n);
/** page_writer_close - write the pagemap; *ret_pages (may be NULL) counts pages stored. */
int must_check page_writer_close(struct page_writer *writer, uint64_t *ret_pages);
void page_writer_abort(struct page_writer *writer);

/* One pagemap read back, in the model's arena. */
struct page_range {
	uint64_t vaddr;
	uint64_t nr_pages;
	uint64_t file_offset; /* in the pages file */
};

struct pagemap {
	struct page_range *ranges; /* ascending, not overlapping: checked */
	size_t n_ranges;
	uint64_t nr_pages;
	MempolicyRangeEntry **policies; /* of a shared object; ascending, checked */
	size_t n_policies;
	int pages_fd; /* owned; -1 when empty */
};

/**
 * page_range_bytes - how much of a range is content of an object, whose last page may be partial
 * @size: of the object, in bytes
 * @name: for the log
 * Return: 0; logged -EINVAL if the range reaches beyond the last page.
 */
int must_check page_range_bytes(const struct page_range *range, uint64_t size, const char *name, uint64_t *ret);

/** pages_read_bytes - exactly @bytes of a pages file, from @offset on; an error where it ends before. */
int must_check pages_read_bytes(int pages_fd, void *buf, size_t bytes, uint64_t offset);

/** pagemap_read - a missing pagemap is an empty one; the pages file's size is checked. */
int must_check pagemap_read(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct arena *arena,
			    struct pagemap *ret);
/** pagemap_pages_id - which pages file a pagemap names; -ENOENT silently if there is no such pagemap. */
int must_check pagemap_pages_id(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct arena *arena,
				uint32_t *ret);
void pagemap_close(struct pagemap *map);

#endif
