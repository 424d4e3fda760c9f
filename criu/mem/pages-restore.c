/*
 * Pages are copied once, from the page cache into the puppet: the puppet
 * itself reads the pages file with preadv, in chunks small enough that the
 * pages made for a chunk are still in the processor's cache when they are
 * filled. What it may not write goes through /proc/PID/mem.
 *
 * Pages that came with a fork are compared image against image, not memory
 * against image: both files are in the page cache, and the puppet's pages
 * need no look-up.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "mem/page-walk.h"
#include "mem/pages.h"
#include "util/log.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

#define CHUNK_BYTES	   (2 * 1024 * 1024UL)
#define CHUNK_RUNS	   256
#define POPULATE_MIN_BYTES (8 * PAGE_BYTES) /* below, one fault after the other is as cheap */
#define POPULATE_MAX_RUNS  16

/*
 * The disk is asked for what the next batch needs while the puppet copies what
 * this one has, in pieces that the kernel does not cut short.
 */
#define BATCH_FILL_BYTES  (16 * CHUNK_BYTES)
#define AHEAD_BYTES	  (2 * BATCH_FILL_BYTES)
#define AHEAD_PIECE_BYTES (512 * 1024UL)

/* Mappings whose pages come from elsewhere; mainline saves some of them all the same. */
#define NOT_FILLED (VMA_AREA_VDSO | VMA_AREA_VVAR | VMA_AREA_VSYSCALL | VMA_AREA_AIORING)

/* Runs of pages that lie one after the other in the pages file. */
struct chunk {
	struct iovec runs[CHUNK_RUNS]; /* addresses in the puppet */
	size_t n;
	uint64_t bytes;
	uint64_t file_offset;
};

/* A preadv in the batch, and what it should return. */
struct expected {
	int op;
	uint64_t vaddr, bytes;
};

struct pages_restore {
	const struct pages_restore_args *args;
	struct batch *batch;
	struct expected expected[BATCH_MAX_OPS];
	size_t n_expected, n_ops, data_bytes;
	uint64_t fill_bytes; /* what the queued preadv calls will read */
	bool any_huge;	     /* among the mappings so far */
	bool no_populate;    /* this kernel doesn't know MADV_POPULATE_WRITE */
	int populate_op;     /* the first one of the batch; -1 */
	struct chunk chunk;
	int pages_number; /* the pages file in the puppet; -1: not lent yet */

	const uint8_t *pages;		/* the image's pages file, once somebody needs it */
	const uint8_t *inherited_pages; /* the relative's */
	struct page_cursor cursor, inherited_cursor;
	uint64_t nr_seen;     /* pages of the image found in a mapping */
	uint64_t asked_ahead; /* of the pages file, in bytes */
};

/* --- through the puppet --------------------------------------------------------- */

static int check_results(struct pages_restore *restore)
{
	const char *hint = restore->any_huge ? ": out of huge pages (/proc/sys/vm/nr_hugepages)?" : "";

	for (size_t i = 0; i < restore->n_expected; i++) {
		const struct expected *expected = &restore->expected[i];
		long ret = batch_ret(restore->batch, expected->op);

		if (ret == (long)expected->bytes)
			continue;
		if (ret < 0)
			return fail((int)-ret, "cannot fill %llu bytes of pages at %#llx%s",
				    (unsigned long long)expected->bytes, (unsigned long long)expected->vaddr, hint);
		return fail(EIO, "filled only %ld of %llu bytes of pages at %#llx%s", ret,
			    (unsigned long long)expected->bytes, (unsigned long long)expected->vaddr, hint);
	}
	/* Other failures show again in what reads into the page. */
	if (restore->populate_op >= 0 && batch_ret(restore->batch, restore->populate_op) == -EINVAL)
		restore->no_populate = true;
	return 0;
}

static void read_ahead(struct pages_restore *restore, uint64_t offset)
{
	const struct pagemap *pagemap = &restore->args->image->pagemap;
	uint64_t end = min_u64(offset + AHEAD_BYTES, pagemap->nr_pages * PAGE_BYTES);

	for (; restore->asked_ahead < end; restore->asked_ahead += AHEAD_PIECE_BYTES)
		posix_fadvise(pagemap->pages_fd, (off_t)restore->asked_ahead, AHEAD_PIECE_BYTES, POSIX_FADV_WILLNEED);
}

static int run_batch(struct pages_restore *restore)
{
	int err;

	if (!restore->n_ops)
		return 0;
	read_ahead(restore, restore->chunk.file_offset);
	err = batch_run(restore->batch);
	err = err ?: check_results(restore);
	restore->n_expected = 0;
	restore->n_ops = 0;
	restore->data_bytes = 0;
	restore->fill_bytes = 0;
	restore->populate_op = -1;
	return err;
}

/* Room for a group of calls, without batch_room() running the batch behind our back: its results count. */
static int make_room(struct pages_restore *restore, size_t n_ops, size_t data_bytes)
{
	int err;

	/* With all that alignment could cost, as batch_room() counts. */
	data_bytes += 16 * n_ops;
	if (restore->fill_bytes >= BATCH_FILL_BYTES || restore->n_ops + n_ops > BATCH_MAX_OPS ||
	    restore->data_bytes + data_bytes > BATCH_DATA_BYTES) {
		err = run_batch(restore);
		if (err)
			return err;
	}
	restore->n_ops += n_ops;
	restore->data_bytes += data_bytes;
	return batch_room(restore->batch, n_ops, data_bytes - 16 * n_ops);
}

static size_t count_populate(const struct pages_restore *restore)
{
	size_t n = 0;

	for (size_t i = 0; i < restore->chunk.n && !restore->no_populate && n < POPULATE_MAX_RUNS; i++)
		n += restore->chunk.runs[i].iov_len >= POPULATE_MIN_BYTES;
	return n;
}

static int flush_chunk(struct pages_restore *restore)
{
	struct chunk *chunk = &restore->chunk;
	size_t iov_bytes = chunk->n * sizeof(*chunk->runs);
	size_t n_populate;
	int err, op;

	if (!chunk->n)
		return 0;
	n_populate = count_populate(restore);
	err = make_room(restore, n_populate + 2, iov_bytes);
	if (!err && restore->pages_number < 0) {
		restore->pages_number = restore->args->lend_pages(restore->args->lend_arg, restore->batch);
		err = restore->pages_number < 0 ? restore->pages_number : 0;
	}
	if (err)
		return err;
	for (size_t i = 0; i < chunk->n && n_populate; i++) {
		if (chunk->runs[i].iov_len < POPULATE_MIN_BYTES)
			continue;
		op = batch_add(restore->batch, SYS_madvise, (uintptr_t)chunk->runs[i].iov_base, chunk->runs[i].iov_len,
			       MADV_POPULATE_WRITE);
		if (restore->populate_op < 0)
			restore->populate_op = op;
		n_populate--;
	}
	op = batch_add(restore->batch, SYS_preadv, restore->pages_number,
		       batch_data(restore->batch, chunk->runs, iov_bytes).v, chunk->n, chunk->file_offset, 0);
	restore->expected[restore->n_expected++] = (struct expected){
		.op = op,
		.vaddr = (uintptr_t)chunk->runs[0].iov_base,
		.bytes = chunk->bytes,
	};
	restore->fill_bytes += chunk->bytes;
	chunk->n = 0;
	chunk->bytes = 0;
	return 0;
}

static int fill_by_puppet(struct pages_restore *restore, const struct page_run *run)
{
	struct chunk *chunk = &restore->chunk;
	uint64_t vaddr = run->start, offset = run->file_offset;

	while (vaddr < run->end) {
		struct iovec *last = chunk->n ? &chunk->runs[chunk->n - 1] : NULL;
		bool adjacent = last && (uintptr_t)last->iov_base + last->iov_len == vaddr;
		uint64_t part;

		if (chunk->n && (chunk->bytes == CHUNK_BYTES || offset != chunk->file_offset + chunk->bytes ||
				 (chunk->n == CHUNK_RUNS && !adjacent))) {
			int err = flush_chunk(restore);

			if (err)
				return err;
			continue;
		}
		if (!chunk->n)
			chunk->file_offset = offset;
		part = min_u64(run->end - vaddr, CHUNK_BYTES - chunk->bytes);
		if (adjacent)
			last->iov_len += part;
		else
			chunk->runs[chunk->n++] = (struct iovec){ (void *)(uintptr_t)vaddr, part };
		chunk->bytes += part;
		vaddr += part;
		offset += part;
	}
	return 0;
}

/* --- by us --------------------------------------------------------------------- */

/* The whole pages file of @map, for reading. */
static int map_pages(const struct pagemap *map, const uint8_t **pages)
{
	void *at;

	if (*pages)
		return 0;
	at = mmap(NULL, map->nr_pages * PAGE_BYTES, PROT_READ, MAP_SHARED, map->pages_fd, 0);
	if (at == MAP_FAILED)
		return fail_errno("cannot map a pages file");
	*pages = at;
	return 0;
}

static void unmap_pages(const struct pagemap *map, const uint8_t *pages)
{
	if (pages)
		munmap((void *)pages, map->nr_pages * PAGE_BYTES);
}

static int fill_by_mem(struct pages_restore *restore, const struct page_run *run)
{
	int fd = remote_mem_fd(restore->args->process);
	int err = fd < 0 ? fd : map_pages(&restore->args->image->pagemap, &restore->pages);
	uint64_t done = 0;

	if (err)
		return err;
	while (done < run->end - run->start) {
		ssize_t n = pwrite(fd, restore->pages + run->file_offset + done, run->end - run->start - done,
				   (off_t)(run->start + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(n ? errno : EIO, "cannot fill page %#llx", (unsigned long long)(run->start + done));
		done += n;
	}
	return 0;
}

static int fill_run(struct pages_restore *restore, uint32_t prot, const struct page_run *run)
{
	restore->args->stats->restored += (run->end - run->start) / PAGE_BYTES;
	return prot & PROT_WRITE ? fill_by_puppet(restore, run) : fill_by_mem(restore, run);
}

/* --- against a relative ----------------------------------------------------------- */

/* Both have these pages: fill those that differ. */
static int compare_run(struct pages_restore *restore, uint32_t prot, const struct page_run *run,
		       uint64_t inherited_offset)
{
	uint64_t nr_pages = (run->end - run->start) / PAGE_BYTES, n = 0, first = 0;
	struct pages_stats *stats = restore->args->stats;
	int err;

	err = map_pages(&restore->args->image->pagemap, &restore->pages);
	err = err ?: map_pages(&restore->args->inherited->pagemap, &restore->inherited_pages);
	stats->compared += nr_pages;
	for (uint64_t i = 0; i <= nr_pages && !err; i++) {
		uint64_t at = i * PAGE_BYTES;
		bool differs = i < nr_pages && memcmp(restore->pages + run->file_offset + at,
						      restore->inherited_pages + inherited_offset + at, PAGE_BYTES);

		if (differs) {
			if (!n++)
				first = at;
			continue;
		}
		stats->skipped_cow += i < nr_pages;
		if (!n)
			continue;
		err = fill_run(restore, prot,
			       &(struct page_run){ run->start + first, run->start + first + n * PAGE_BYTES,
						   run->file_offset + first });
		n = 0;
	}
	return err;
}

static int drop_run(struct pages_restore *restore, uint64_t start, uint64_t end)
{
	int err = make_room(restore, 1, 0);

	if (!err)
		batch_must(restore->batch, "drop pages of its relative", SYS_madvise, start, end - start,
			   MADV_DONTNEED);
	return err;
}

/* --- one mapping ------------------------------------------------------------------- */

static int restore_fresh(struct pages_restore *restore, uint32_t prot, uint64_t start, uint64_t end)
{
	struct page_run run;
	int err = 0;

	for (uint64_t at = start; at < end && !err; at = run.end) {
		if (!page_cursor_at(&restore->cursor, at, end, &run))
			continue;
		restore->nr_seen += (run.end - run.start) / PAGE_BYTES;
		err = fill_run(restore, prot, &run);
	}
	return err;
}

static int restore_kept(struct pages_restore *restore, uint32_t prot, uint64_t start, uint64_t end)
{
	struct page_run run, had;
	int err = 0;

	for (uint64_t at = start; at < end && !err; at = run.end) {
		bool wanted = page_cursor_at(&restore->cursor, at, end, &run);
		bool present = page_cursor_at(&restore->inherited_cursor, at, end, &had);

		run.end = min_u64(run.end, had.end);
		if (wanted)
			restore->nr_seen += (run.end - run.start) / PAGE_BYTES;
		if (wanted && present)
			err = compare_run(restore, prot, &run, had.file_offset);
		else if (wanted)
			err = fill_run(restore, prot, &run);
		else if (present)
			err = drop_run(restore, run.start, run.end);
	}
	return err;
}

/* Huge pages can't be written against their protection, not even through /proc/PID/mem. */
static int protect_huge(struct pages_restore *restore, const VmaEntry *vma, uint32_t prot)
{
	int err;

	if (!(vma->flags & MAP_HUGETLB) || vma->prot & PROT_WRITE)
		return 0;
	err = flush_chunk(restore) ?: make_room(restore, 1, 0);
	if (!err)
		batch_must(restore->batch, "change protection of huge pages", SYS_mprotect, vma->start,
			   vma->end - vma->start, prot);
	return err;
}

static int restore_vma(struct pages_restore *restore, const VmaEntry *vma, const struct kept_range *kept)
{
	uint32_t prot = vma->prot | (vma->flags & MAP_HUGETLB ? PROT_WRITE : 0);
	bool any = kept && kept->end;
	int err;

	LOG_SCOPE_HEX("mapping", vma->start);
	restore->any_huge |= vma->flags & MAP_HUGETLB;
	err = protect_huge(restore, vma, prot);
	err = err ?: restore_fresh(restore, prot, vma->start, any ? kept->start : vma->end);
	if (any) {
		err = err ?: restore_kept(restore, prot, kept->start, kept->end);
		err = err ?: restore_fresh(restore, prot, kept->end, vma->end);
	}
	return err ?: protect_huge(restore, vma, vma->prot);
}

static void skip_vma(struct pages_restore *restore, const VmaEntry *vma)
{
	struct page_run run;

	for (uint64_t at = vma->start; at < vma->end; at = run.end)
		if (page_cursor_at(&restore->cursor, at, vma->end, &run))
			restore->nr_seen += (run.end - run.start) / PAGE_BYTES;
}

static int restore_vmas(struct pages_restore *restore)
{
	const struct pages_restore_args *args = restore->args;
	const MmEntry *mm = args->image->task->mm;
	int err = 0;

	for (size_t i = 0; i < mm->n_vmas && !err; i++) {
		const VmaEntry *vma = mm->vmas[i];

		if (vma->status & VMA_AREA_GUARD)
			continue;
		if (vma->status & NOT_FILLED)
			skip_vma(restore, vma);
		else if (vma->status & (VMA_ANON_PRIVATE | VMA_FILE_PRIVATE))
			err = restore_vma(restore, vma, args->inherited ? &args->kept[i] : NULL);
	}
	if (!err && restore->nr_seen != args->image->pagemap.nr_pages)
		err = fail(EINVAL, "pagemap: %llu pages are in no private mapping",
			   (unsigned long long)(args->image->pagemap.nr_pages - restore->nr_seen));
	return err;
}

/* --- guard regions ------------------------------------------------------------------- */

static int advise_guard(struct pages_restore *restore, uint64_t start, uint64_t end, int advice)
{
	int err = make_room(restore, 1, 0);

	if (!err)
		batch_must(restore->batch, "set up a guard region (MADV_GUARD_INSTALL, Linux 6.13)", SYS_madvise, start,
			   end - start, advice);
	return err;
}

/* A fork passes guards on: remove those in what was kept, lest a fill runs into them. */
static int remove_guards(struct pages_restore *restore)
{
	const struct pages_restore_args *args = restore->args;
	const MmEntry *had = args->inherited->task->mm;
	size_t n_vmas = args->image->task->mm->n_vmas;
	int err = 0;

	for (size_t i = 0; i < had->n_vmas; i++) {
		const VmaEntry *guard = had->vmas[i];

		if (!(guard->status & VMA_AREA_GUARD))
			continue;
		for (size_t j = 0; j < n_vmas && !err; j++) {
			uint64_t start = max_u64(guard->start, args->kept[j].start);
			uint64_t end = min_u64(guard->end, args->kept[j].end);

			if (start < end)
				err = advise_guard(restore, start, end, MADV_GUARD_REMOVE);
		}
	}
	/* Done before anything is filled, because not all filling goes through the batch. */
	return err ?: run_batch(restore);
}

static int install_guards(struct pages_restore *restore)
{
	const MmEntry *mm = restore->args->image->task->mm;
	int err = 0;

	for (size_t i = 0; i < mm->n_vmas && !err; i++)
		if (mm->vmas[i]->status & VMA_AREA_GUARD)
			err = advise_guard(restore, mm->vmas[i]->start, mm->vmas[i]->end, MADV_GUARD_INSTALL);
	return err;
}

int pages_restore(const struct pages_restore_args *args)
{
	auto_free struct pages_restore *restore = xalloc(sizeof(*restore));
	cleanup_with(batch_freep) struct batch *batch = NULL;
	const struct pagemap *pagemap = &args->image->pagemap;
	int err;

	LOG_SCOPE("task", args->image->task->pstree->pid);
	err = batch_new(args->process->driver, &batch);
	if (err)
		return err;
	restore->args = args;
	restore->batch = batch;
	restore->populate_op = -1;
	restore->pages_number = -1;
	restore->cursor.map = pagemap;
	if (args->inherited)
		restore->inherited_cursor.map = &args->inherited->pagemap;
	read_ahead(restore, 0);

	err = args->inherited ? remove_guards(restore) : 0;
	err = err ?: restore_vmas(restore);
	err = err ?: flush_chunk(restore);
	err = err ?: install_guards(restore);
	err = err ?: run_batch(restore);
	unmap_pages(pagemap, restore->pages);
	if (args->inherited)
		unmap_pages(&args->inherited->pagemap, restore->inherited_pages);
	return err;
}
