/*
 * Objects of huge pages: memfds and System V segments of them, anonymous
 * shared memory, files on a hugetlbfs. They are shared objects like any other (mem/shmem.h), but for three things: their
 * content can be read but not written, the file does not say where its holes are, and the pages come from a pool.
 */
#ifndef CRIU_MEM_HUGE_H
#define CRIU_MEM_HUGE_H

#include "mem/pages.h"
#include "mem/shmem-fill.h"
#include "options.h"

/* The name of what mmap(2) makes with MAP_ANONYMOUS and MAP_HUGETLB, shared or private. */
#define HUGE_ANON_NAME "/anon_hugepage"

/* --- dump ------------------------------------------------------------------ */

struct huge_scan; /* which pages of an object are there */

/**
 * huge_scan_open - get ready to ask about the object of @fd, which nobody notices
 * @page_bytes: its page size; @size: its size
 * Return: NULL if this kernel can't tell (no userfaultfd, or not for us); freed with huge_scan_close().
 */
struct huge_scan *huge_scan_open(int fd, uint64_t page_bytes, uint64_t size);
void huge_scan_close(struct huge_scan *scan);

/** huge_scan_has - is there a page at @offset? 1 or 0; logged -errno. */
int must_check huge_scan_has(const struct huge_scan *scan, uint64_t offset);

/* --- restore --------------------------------------------------------------- */

/** huge_fill - @content into @fd, an empty object of pages of @page_bytes: those it has pages for, and no others. */
int must_check huge_fill(int fd, uint64_t page_bytes, const struct shmem_content *content);

struct huge_need {
	uint64_t page_bytes, pages;
};

/* What a restore takes from the pools: of each page size, at least that many. */
struct huge_needs {
	VEC(struct huge_need) sizes;
};

/**
 * huge_need_objects - add what the objects of @model need that restore is going to make
 *
 * Pages that were there, and those that mappings reserve. Fails, logged, if the hugetlbfs of a deleted file is not
 * mounted, or has pages of another size.
 */
int must_check huge_need_objects(struct huge_needs *needs, const struct model *model, const struct image_dir *dir,
				 const struct options *options);

/**
 * huge_need_private - add what the private mappings of @image need
 * @inherited: the relative it is forked from, whose pages it shares where they are the same; or NULL
 */
void huge_need_private(struct huge_needs *needs, const struct mm_image *image, const struct mm_image *inherited);

/** huge_needs_check - are there enough? 0; -ENOMEM, logged with the numbers and where to change them. */
int must_check huge_needs_check(const struct huge_needs *needs);
void huge_needs_free(struct huge_needs *needs);

#endif
