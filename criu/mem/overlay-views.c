/*
 * The content of a lower file, read through the mappings that show it.
 *
 * Known are the pages that some mapping shows; not those outside of all mappings, nor those that private copies
 * hide wherever they are mapped. The size is known in pages: that is how far the mappings can be read. What lies
 * behind the end in the last page is zero in every mapping of a file.
 */
#include <stdlib.h>

#include "kernel/proc.h"
#include "kernel/syscalls.h"
#include "mem/overlay.h"
#include "mem/page-scan.h"
#include "util/log.h"

struct span {
	uint64_t start, end;
};

typedef VEC(struct span) span_list;

/* A part of the file that a mapping shows. */
struct view {
	struct span span; /* in the file */
	uint64_t addr;
	pid_t pid;
};

typedef VEC(struct view) view_list;

struct overlay_views {
	const struct inode *lower;
	view_list views;     /* in order, without overlap, in whole pages */
	uint64_t copied_end; /* of the last page that somebody has a private copy of */
};

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int find_pages(struct page_scan *scan, enum page_scan_what what, const struct inode_holder *holder,
		      span_list *ret)
{
	struct span run;
	int err;

	page_scan_begin(scan, what, holder->start, holder->end);
	while ((err = page_scan_next(scan, &run.start, &run.end)) > 0)
		VEC_PUSH(ret, run);
	return err;
}

/* Private copies hide the file's pages (and prove that there are some), guards (MADV_GUARD_INSTALL) anything. */
static int find_hidden(struct overlay_views *views, struct page_scan *scan, const struct inode_holder *holder,
		       span_list *ret)
{
	int err = find_pages(scan, PAGES_OWN, holder, ret);

	if (ret->n)
		views->copied_end =
			max_u64(views->copied_end, holder->offset + (ret->data[ret->n - 1].end - holder->start));
	err = err ?: find_pages(scan, PAGES_GUARD, holder, ret);
	if (ret->n)
		qsort(ret->data, ret->n, sizeof(*ret->data), by_start);
	return err;
}

static void add_view(view_list *views, const struct inode_holder *holder, uint64_t start, uint64_t end)
{
	uint64_t offset = holder->offset + (start - holder->start);

	if (start < end)
		VEC_PUSH(views, ((struct view){ { offset, offset + (end - start) }, start, holder->pid }));
}

static int add_holder(struct overlay_views *views, struct page_scan *scan, const struct inode_holder *holder)
{
	span_list hidden = { 0 };
	uint64_t at = holder->start;
	int err = find_hidden(views, scan, holder, &hidden);

	for (size_t i = 0; !err && i < hidden.n; i++) {
		add_view(&views->views, holder, at, hidden.data[i].start);
		at = hidden.data[i].end;
	}
	if (!err)
		add_view(&views->views, holder, at, holder->end);
	VEC_FREE(&hidden);
	return err;
}

static int collect(const struct inode *lower, struct overlay_views *ret)
{
	struct page_scan *scan = NULL;
	pid_t scanned = 0;
	int err = 0;

	for (size_t i = 0; i < lower->holders.n && !err; i++) {
		const struct inode_holder *holder = &lower->holders.data[i];

		/* They come task by task. */
		if (holder->pid != scanned) {
			page_scan_closep(&scan);
			scan = NULL;
			err = page_scan_open(holder->pid, true, &scan);
			scanned = holder->pid;
		}
		if (!err)
			err = add_holder(ret, scan, holder);
	}
	page_scan_closep(&scan);
	return err;
}

/* What several mappings show is read through the first of them. */
static void sweep(view_list *views)
{
	uint64_t at = 0;
	size_t n = 0;

	if (views->n)
		qsort(views->data, views->n, sizeof(*views->data), by_start);
	for (size_t i = 0; i < views->n; i++) {
		struct view view = views->data[i];
		uint64_t skip = at > view.span.start ? at - view.span.start : 0;

		if (view.span.end <= at)
			continue;
		view.span.start += skip;
		view.addr += skip;
		at = view.span.end;
		views->data[n++] = view;
	}
	views->n = n;
}

int overlay_views_open(const struct inode *lower, struct overlay_views **ret)
{
	struct overlay_views *views = xalloc(sizeof(*views));
	int err;

	views->lower = lower;
	err = collect(lower, views);
	if (err) {
		overlay_views_close(views);
		return err;
	}
	sweep(&views->views);
	*ret = views;
	return 0;
}

void overlay_views_close(struct overlay_views *views)
{
	if (!views)
		return;
	VEC_FREE(&views->views);
	free(views);
}

/* The first one that ends behind @offset; n if there is none. */
static size_t find_view(const struct overlay_views *views, uint64_t offset)
{
	size_t low = 0, high = views->views.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (views->views.data[middle].span.end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int overlay_views_next(const struct overlay_views *views, uint64_t from, uint64_t *ret_start, uint64_t *ret_end)
{
	size_t i = find_view(views, from);

	if (i == views->views.n)
		return 0;
	*ret_start = max_u64(from, views->views.data[i].span.start);
	*ret_end = views->views.data[i].span.end;
	return 1;
}

int overlay_views_read(const struct overlay_views *views, char *buf, size_t bytes, uint64_t offset)
{
	const struct view *view = &views->views.data[find_view(views, offset)];
	uint64_t addr = view->addr + (offset - view->span.start);
	int err = sys_vm_read(view->pid, addr, buf, bytes);

	/* The slower way does not ask about protection. */
	if (err)
		err = proc_read_mem(view->pid, addr, buf, bytes);
	if (err)
		return fail(-err, "%s: read at %#llx, as it was before it was copied up", views->lower->name,
			    (unsigned long long)offset);
	return 0;
}

/* Is there a file at this offset, and not its end before? */
static bool can_read(const struct view *view, uint64_t offset)
{
	char byte;

	return !proc_read_mem(view->pid, view->addr + (offset - view->span.start), &byte, 1);
}

/* The file ends in this view, if not behind: the pages before can be read, the others can't. */
static uint64_t find_end(const struct view *view)
{
	uint64_t low = view->span.start, high = view->span.end;

	while (low < high) {
		uint64_t middle = low + (high - low) / PAGE_BYTES / 2 * PAGE_BYTES;

		if (can_read(view, middle))
			low = middle + PAGE_BYTES;
		else
			high = middle;
	}
	return low;
}

int overlay_find_size(struct inode *lower)
{
	struct overlay_views *views;
	size_t low = 0, high;
	int err = overlay_views_open(lower, &views);

	if (err)
		return err;
	/* The last view that shows anything at all. */
	for (high = views->views.n; low < high;) {
		size_t middle = low + (high - low) / 2;
		const struct view *view = &views->views.data[middle];

		if (can_read(view, view->span.start))
			low = middle + 1;
		else
			high = middle;
	}
	lower->st.st_size = (off_t)max_u64(views->copied_end, low ? find_end(&views->views.data[low - 1]) : 0);
	pr_info("%s, as it was before overlayfs copied it up: %lld bytes, seen through %zu mappings", lower->name,
		(long long)lower->st.st_size, lower->holders.n);
	overlay_views_close(views);
	return 0;
}
