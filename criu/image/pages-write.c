/* Page maps: which pages went into a pages file, as runs of adjacent ones. */
#include "image/image-file.h"
#include "image/page-pipeline.h"
#include "image/pagemap-flags.h"
#include "util/log.h"

struct run {
	uint64_t vaddr, nr_pages;
};

struct page_writer {
	struct page_pipeline *pipeline;
	struct pages_file *file;
	enum image_kind kind;
	uint64_t id;
	uint32_t pages_id;
	uint64_t nr_pages;
	MempolicyRangeEntry **policies; /* borrowed */
	size_t n_policies;
	VEC(struct run) runs;
};

int page_writer_open(struct page_pipeline *pipeline, enum image_kind kind, uint64_t id, struct page_writer **ret)
{
	struct pages_file *file;
	struct page_writer *writer;
	uint32_t pages_id;
	int err;

	err = pipeline_file_open(pipeline, &file, &pages_id);
	if (err)
		return err;
	writer = xalloc(sizeof(*writer));
	writer->pipeline = pipeline;
	writer->file = file;
	writer->kind = kind;
	writer->id = id;
	writer->pages_id = pages_id;
	*ret = writer;
	return 0;
}

int page_writer_room(struct page_writer *writer, void **ret_buf, size_t *ret_bytes)
{
	return pipeline_room(writer->pipeline, writer->file, ret_buf, ret_bytes);
}

int page_writer_add(struct page_writer *writer, uint64_t vaddr, uint64_t nr_pages)
{
	struct run *last = writer->runs.n ? &writer->runs.data[writer->runs.n - 1] : NULL;
	uint64_t last_end = last ? last->vaddr + last->nr_pages * PAGE_BYTES : 0;

	if (vaddr < last_end)
		return fail(EINVAL, "page %#llx comes after %#llx", (unsigned long long)vaddr,
			    (unsigned long long)last_end);
	if (last && vaddr == last_end)
		last->nr_pages += nr_pages;
	else
		VEC_PUSH(&writer->runs, ((struct run){ .vaddr = vaddr, .nr_pages = nr_pages }));
	writer->nr_pages += nr_pages;
	pipeline_add(writer->pipeline, writer->file, nr_pages * PAGE_BYTES);
	return 0;
}

/*
 * The 32-bit count is what readers of every age understand; the 64-bit one is
 * written only where it has to be.
 */
static int write_run(struct image_writer *image, const struct run *run)
{
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;

	entry.vaddr = run->vaddr;
	entry.has_flags = true;
	entry.flags = PE_PRESENT;
	if (run->nr_pages <= UINT32_MAX) {
		entry.compat_nr_pages = run->nr_pages;
	} else {
		entry.has_nr_pages = true;
		entry.nr_pages = run->nr_pages;
	}
	return image_write_entry(image, &entry.base);
}

static int write_pagemap(const struct page_writer *writer)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;
	struct image_writer *image;
	int err;

	err = image_create(pipeline_dir(writer->pipeline), writer->kind, writer->id, &image);
	if (err)
		return err;
	head.pages_id = writer->pages_id;
	head.policies = writer->policies;
	head.n_policies = writer->n_policies;
	err = image_write_entry(image, &head.base);
	for (size_t i = 0; i < writer->runs.n && !err; i++)
		err = write_run(image, &writer->runs.data[i]);
	if (err) {
		image_abort(image);
		return err;
	}
	return image_finish(image);
}

void page_writer_set_policies(struct page_writer *writer, MempolicyRangeEntry **policies, size_t n)
{
	writer->policies = policies;
	writer->n_policies = n;
}

int page_writer_close(struct page_writer *writer, uint64_t *ret_pages)
{
	int err = write_pagemap(writer);

	if (!err && ret_pages)
		*ret_pages = writer->nr_pages;
	page_writer_abort(writer);
	return err;
}

void page_writer_abort(struct page_writer *writer)
{
	pipeline_file_close(writer->pipeline, writer->file);
	VEC_FREE(&writer->runs);
	free(writer);
}
