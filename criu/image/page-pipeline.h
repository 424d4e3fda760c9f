/* The writing half of the page store: pages files, filled by threads behind the caller's back. */
#ifndef CRIU_IMAGE_PAGE_PIPELINE_H
#define CRIU_IMAGE_PAGE_PIPELINE_H

#include "image/pages.h"

struct pages_file;

/** pipeline_dir - where the pipeline's files live; borrowed. */
struct image_dir *pipeline_dir(struct page_pipeline *pipeline);

/** pipeline_file_open - the next pages-<n>.img; one is open for filling at a time. */
int must_check pipeline_file_open(struct page_pipeline *pipeline, struct pages_file **ret, uint32_t *ret_pages_id);

/** pipeline_room - free part of the buffer being filled; waits for the threads if all are full. */
int must_check pipeline_room(struct page_pipeline *pipeline, struct pages_file *file, void **ret_buf,
			     size_t *ret_bytes);

/** pipeline_add - the first @bytes of the room belong to @file, at its end. */
void pipeline_add(struct page_pipeline *pipeline, struct pages_file *file, size_t bytes);

/** pipeline_file_close - queue what is left; the threads finish the file. */
void pipeline_file_close(struct page_pipeline *pipeline, struct pages_file *file);

#endif
