/*
 * Which pages are a task's own can be seen from outside (page-scan.c), and
 * they can be read from outside too, so the task takes no part in this. Many
 * scattered pages are read in one call; zero pages among them are dropped
 * where the mapping would show zeros anyway.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "mem/page-scan.h"
#include "mem/page-zero.h"
#include "mem/pages.h"
#include "util/log.h"

#define GATHER_MAX	 1024 /* IOV_MAX */
#define NOT_OURS	 (VMA_AREA_VSYSCALL | VMA_AREA_VDSO | VMA_AREA_VVAR | VMA_AREA_GUARD | VMA_AREA_UPROBES)
#define MAP_SHARING_BITS 0x0f /* MAP_TYPE of the kernel */

/* Pages to be read with one call. */
struct gather {
	struct iovec runs[GATHER_MAX]; /* addresses in the target */
	size_t n;
	uint64_t bytes;
	uint8_t *room; /* where they go */
	size_t room_bytes;
};

struct pages_dump {
	struct remote_process *process;
	struct page_scan *scan;
	struct page_writer *writer;
	struct pages_stats *stats;
	struct gather gather;
	bool by_mem;	 /* this mapping can't be read the plain way */
	bool drop_zeros; /* this mapping shows zeros where nothing was written */
};

static bool has_own_pages(const struct vma *vma)
{
	/* What the kernel may drop at any time has no content to rely on, and random state must not be used twice. */
	if ((vma->entry->flags & MAP_SHARING_BITS) == MAP_DROPPABLE)
		return false;
	return vma->entry->flags & MAP_PRIVATE && !(vma->entry->status & NOT_OURS);
}

/* From byte @done of the gathered runs on, through /proc/PID/mem, which does not ask about protection. */
static int read_by_mem(struct pages_dump *dump, uint64_t done)
{
	const struct gather *gather = &dump->gather;
	int fd = remote_mem_fd(dump->process);
	uint64_t at = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < gather->n; at += gather->runs[i++].iov_len) {
		uint64_t skip = done > at ? done - at : 0;

		while (skip < gather->runs[i].iov_len) {
			uint64_t addr = (uintptr_t)gather->runs[i].iov_base + skip;
			ssize_t n = pread(fd, gather->room + at + skip, gather->runs[i].iov_len - skip, (off_t)addr);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return fail(n ? errno : EIO, "cannot read page %#llx", (unsigned long long)addr);
			skip += n;
		}
	}
	return 0;
}

static int read_runs(struct pages_dump *dump)
{
	const struct gather *gather = &dump->gather;
	struct iovec local = { gather->room, gather->bytes };
	ssize_t n;

	if (dump->by_mem)
		return read_by_mem(dump, 0);
	n = process_vm_readv(dump->process->pid, &local, 1, gather->runs, gather->n, 0);
	if (n == (ssize_t)gather->bytes)
		return 0;
	return read_by_mem(dump, n < 0 ? 0 : n);
}

/* @nr_pages pages at @from, which is in the room, become the next in the image. */
static int store(struct pages_dump *dump, uint8_t **to, const uint8_t *from, uint64_t vaddr, uint64_t nr_pages)
{
	int err;

	if (!nr_pages)
		return 0;
	if (*to != from)
		memmove(*to, from, nr_pages * PAGE_BYTES);
	*to += nr_pages * PAGE_BYTES;
	err = page_writer_add(dump->writer, vaddr, nr_pages);
	if (!err)
		dump->stats->written += nr_pages;
	return err;
}

static int store_without_zeros(struct pages_dump *dump, uint8_t **to, const uint8_t *from, uint64_t vaddr,
			       uint64_t nr_pages)
{
	uint64_t start = 0;
	int err = 0;

	for (uint64_t i = 0; i < nr_pages && !err; i++) {
		if (!page_is_zero(from + i * PAGE_BYTES))
			continue;
		err = store(dump, to, from + start * PAGE_BYTES, vaddr + start * PAGE_BYTES, i - start);
		start = i + 1;
	}
	return err ?: store(dump, to, from + start * PAGE_BYTES, vaddr + start * PAGE_BYTES, nr_pages - start);
}

static int flush(struct pages_dump *dump)
{
	struct gather *gather = &dump->gather;
	uint8_t *to = gather->room;
	uint64_t at = 0;
	int err;

	if (!gather->n)
		return 0;
	err = read_runs(dump);
	for (size_t i = 0; i < gather->n && !err; at += gather->runs[i++].iov_len) {
		uint64_t vaddr = (uintptr_t)gather->runs[i].iov_base;
		uint64_t nr_pages = gather->runs[i].iov_len / PAGE_BYTES;

		err = dump->drop_zeros ? store_without_zeros(dump, &to, gather->room + at, vaddr, nr_pages)
				       : store(dump, &to, gather->room + at, vaddr, nr_pages);
	}
	gather->n = 0;
	gather->bytes = 0;
	return err;
}

static int gather_run(struct pages_dump *dump, uint64_t start, uint64_t end)
{
	struct gather *gather = &dump->gather;

	while (start < end) {
		uint64_t part;
		int err;

		if (gather->n == GATHER_MAX || (gather->n && gather->bytes == gather->room_bytes)) {
			err = flush(dump);
			if (err)
				return err;
		}
		if (!gather->n) {
			void *room;

			err = page_writer_room(dump->writer, &room, &gather->room_bytes);
			if (err)
				return err;
			gather->room = room;
		}
		part = min_u64(end - start, gather->room_bytes - gather->bytes);
		gather->runs[gather->n++] = (struct iovec){ (void *)(uintptr_t)start, part };
		gather->bytes += part;
		start += part;
	}
	return 0;
}

static int dump_vma(struct pages_dump *dump, const struct vma *vma)
{
	const VmaEntry *entry = vma->entry;
	uint64_t start, end;
	int err;

	LOG_SCOPE_HEX("mapping", entry->start);
	dump->by_mem = !(entry->prot & PROT_READ);
	/* A huge page counts as a whole: restore compares and drops them so, and one of zeros is taken, too. */
	dump->drop_zeros = entry->status & VMA_ANON_PRIVATE && !(entry->flags & MAP_HUGETLB);
	dump->stats->scanned += (entry->end - entry->start) / PAGE_BYTES;
	page_scan_begin(dump->scan, PAGES_OWN, entry->start, entry->end);
	while ((err = page_scan_next(dump->scan, &start, &end)) > 0) {
		err = gather_run(dump, start, end);
		if (err)
			return err;
	}
	return err ?: flush(dump);
}

/*
 * The vdso's code is part of what the task relies on: restore compares it with that of its own kernel. The ring of an
 * AIO context has no other content than its pages, but they count as a file's.
 */
static int dump_whole(struct pages_dump *dump, const struct vma *vma)
{
	int err;

	dump->by_mem = dump->drop_zeros = false;
	err = gather_run(dump, vma->entry->start, vma->entry->end);
	return err ?: flush(dump);
}

static int dump_vmas(struct pages_dump *dump, const vma_list *vmas)
{
	int err = 0;

	for (size_t i = 0; i < vmas->n && !err; i++) {
		if (vmas->data[i].entry->status & (VMA_AREA_VDSO | VMA_AREA_AIORING))
			err = dump_whole(dump, &vmas->data[i]);
		else if (has_own_pages(&vmas->data[i]))
			err = dump_vma(dump, &vmas->data[i]);
	}
	return err;
}

int pages_dump(struct remote_process *process, const vma_list *vmas, uint32_t image_pid,
	       const struct kernel_features *features, struct page_pipeline *pipeline, struct pages_stats *stats)
{
	cleanup_with(page_scan_closep) struct page_scan *scan = NULL;
	auto_free struct pages_dump *dump = xalloc(sizeof(*dump));
	int err;

	LOG_SCOPE("task", image_pid);
	err = page_scan_open(process->pid, features->pagemap_scan, &scan);
	err = err ?: page_writer_open(pipeline, IMAGE_PAGEMAP, image_pid, &dump->writer);
	if (err)
		return err;
	dump->process = process;
	dump->scan = scan;
	dump->stats = stats;
	err = dump_vmas(dump, vmas);
	if (err) {
		page_writer_abort(dump->writer);
		return err;
	}
	return page_writer_close(dump->writer, NULL);
}
