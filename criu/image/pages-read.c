#include <string.h>

#include "image/image-file.h"
#include "image/image-table.h"
#include "image/mempolicy.h"
#include "image/pagemap-flags.h"
#include "image/pages.h"
#include "util/log.h"

/* Highest byte a page may end at: a user address, or an offset in a file. */
#define VADDR_MAX ((uint64_t)INT64_MAX)

/* One entry of any age into flags and count. */
static void parse_entry(const PagemapEntry *entry, uint32_t *ret_flags, uint64_t *ret_pages)
{
	if (entry->has_in_parent && entry->in_parent)
		*ret_flags = PE_PARENT;
	else
		*ret_flags = entry->has_flags ? entry->flags : PE_PRESENT;
	*ret_pages = entry->has_nr_pages ? entry->nr_pages : entry->compat_nr_pages;
}

static int add_range(const PagemapEntry *entry, const char *name, size_t n, struct pagemap *map,
		     struct page_range *range)
{
	const struct page_range *last = n ? range - 1 : NULL;
	uint64_t nr_pages;
	uint32_t flags;

	parse_entry(entry, &flags, &nr_pages);
	if (flags & ~(uint32_t)PE_LAZY & ~(uint32_t)PE_PRESENT)
		return fail(ENOTSUP, "%s: entry %zu: pages in a parent image, or unknown flags %#x", name, n, flags);
	if (!(flags & PE_PRESENT))
		return fail(ENOTSUP, "%s: entry %zu: its pages are in no image", name, n);
	if (!nr_pages || entry->vaddr % PAGE_BYTES || entry->vaddr > VADDR_MAX ||
	    nr_pages > (VADDR_MAX - entry->vaddr) / PAGE_BYTES)
		return fail(EINVAL, "%s: entry %zu: %llu pages at %#llx", name, n, (unsigned long long)nr_pages,
			    (unsigned long long)entry->vaddr);
	if (last && entry->vaddr < last->vaddr + last->nr_pages * PAGE_BYTES)
		return fail(EINVAL, "%s: entry %zu: page %#llx is there twice or out of order", name, n,
			    (unsigned long long)entry->vaddr);
	if (nr_pages > VADDR_MAX / PAGE_BYTES - map->nr_pages)
		return fail(EINVAL, "%s: entry %zu: more pages than a file can hold", name, n);
	*range = (struct page_range){
		.vaddr = entry->vaddr,
		.nr_pages = nr_pages,
		.file_offset = map->nr_pages * PAGE_BYTES,
	};
	map->nr_pages += nr_pages;
	return 0;
}

static int read_ranges(struct image_reader *reader, const char *name, struct arena *arena, struct pagemap *map)
{
	struct arena *scratch cleanup_with(arena_freep) = arena_new();
	VEC(struct page_range) ranges = { 0 };
	void *entry;
	int err;

	while ((err = image_read_entry(reader, &pagemap_entry__descriptor, scratch, &entry)) > 0) {
		struct page_range *range = VEC_ADD(&ranges);

		err = add_range(entry, name, ranges.n - 1, map, range);
		if (err)
			break;
	}
	if (!err) {
		map->ranges = arena_memdup(arena, ranges.data, ranges.n * sizeof(*ranges.data));
		map->n_ranges = ranges.n;
	}
	VEC_FREE(&ranges);
	return err;
}

static int open_pages(const struct image_dir *dir, uint32_t pages_id, struct pagemap *map)
{
	char name[IMAGE_NAME_BYTES];
	uint64_t bytes;
	int fd;

	if (!map->nr_pages)
		return 0;
	image_file_name(IMAGE_PAGES, pages_id, name);
	fd = image_open_fd(dir, name, &bytes);
	if (fd == -ENOENT)
		return fail(ENOENT, "%s/%s is missing", dir->path, name);
	if (fd < 0)
		return fd;
	map->pages_fd = fd;
	if (bytes != map->nr_pages * PAGE_BYTES)
		return fail(EINVAL, "%s/%s: %llu bytes where its pagemap counts %llu pages", dir->path, name,
			    (unsigned long long)bytes, (unsigned long long)map->nr_pages);
	return 0;
}

/* Open a pagemap and read its head; -ENOENT silently. */
static int open_map(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct arena *arena,
		    struct image_reader **ret, const PagemapHead **ret_head)
{
	char name[IMAGE_NAME_BYTES];
	void *head;
	int err;

	err = image_open(dir, kind, id, ret);
	if (err)
		return err;
	err = image_read_entry(*ret, &pagemap_head__descriptor, arena, &head);
	if (err > 0) {
		*ret_head = head;
		return 0;
	}
	image_close(*ret);
	image_file_name(kind, id, name);
	return err ?: fail(EINVAL, "%s/%s: no head", dir->path, name);
}

static int check_policies(const PagemapHead *head, const char *name)
{
	uint64_t end = 0;

	for (size_t i = 0; i < head->n_policies; i++) {
		const MempolicyRangeEntry *range = head->policies[i];

		if (range->start < end || range->end <= range->start || range->end > VADDR_MAX ||
		    range->start % PAGE_BYTES || range->end % PAGE_BYTES)
			return fail(EINVAL, "%s: memory policy %zu of %#llx-%#llx", name, i,
				    (unsigned long long)range->start, (unsigned long long)range->end);
		if (mempolicy_check(range->policy, name))
			return -EINVAL;
		end = range->end;
	}
	return 0;
}

int page_range_bytes(const struct page_range *range, uint64_t size, const char *name, uint64_t *ret)
{
	uint64_t bytes = range->nr_pages * PAGE_BYTES;

	if (range->vaddr >= size || bytes > round_up_pages(size) - range->vaddr)
		return fail(EINVAL, "%s: pages %#llx-%#llx in an object of %llu bytes", name,
			    (unsigned long long)range->vaddr, (unsigned long long)(range->vaddr + bytes),
			    (unsigned long long)size);
	*ret = min_u64(bytes, size - range->vaddr);
	return 0;
}

int pages_read_bytes(int pages_fd, void *buf, size_t bytes, uint64_t offset)
{
	char *to = buf;

	while (bytes) {
		ssize_t n = pread(pages_fd, to, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_errno("read the pages image at %#llx", (unsigned long long)offset);
		if (n == 0)
			return fail(EINVAL, "the pages image ends at %#llx", (unsigned long long)offset);
		to += n;
		offset += n;
		bytes -= n;
	}
	return 0;
}

int pagemap_read(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct arena *arena,
		 struct pagemap *ret)
{
	struct pagemap map = { .pages_fd = -1 };
	char name[IMAGE_NAME_BYTES];
	struct image_reader *reader;
	const PagemapHead *head;
	int err;

	err = open_map(dir, kind, id, arena, &reader, &head);
	if (err == -ENOENT) {
		*ret = map;
		return 0;
	}
	if (err)
		return err;
	image_file_name(kind, id, name);
	map.policies = head->policies;
	map.n_policies = head->n_policies;
	err = check_policies(head, name);
	err = err ?: read_ranges(reader, name, arena, &map);
	image_close(reader);
	err = err ?: open_pages(dir, head->pages_id, &map);
	if (err) {
		pagemap_close(&map);
		return err;
	}
	*ret = map;
	return 0;
}

int pagemap_pages_id(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct arena *arena, uint32_t *ret)
{
	struct image_reader *reader;
	const PagemapHead *head;
	int err = open_map(dir, kind, id, arena, &reader, &head);

	if (err)
		return err;
	*ret = head->pages_id;
	image_close(reader);
	return 0;
}

void pagemap_close(struct pagemap *map)
{
	if (map->pages_fd >= 0)
		close(map->pages_fd);
	map->pages_fd = -1;
}
