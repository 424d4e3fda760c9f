/*
 * Which page cache a mapping is of. The kernel keeps the real file of each mapping, and does not change it when the
 * overlay's file is copied up. From outside it shows in nothing but the pages.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include "kernel/proc.h"
#include "mem/overlay.h"
#include "mem/page-scan.h"
#include "util/log.h"

#define PAGEMAP_PRESENT	    (1ULL << 63)
#define PAGEMAP_SWAPPED	    (1ULL << 62)
#define PAGEMAP_FILE	    (1ULL << 61)
#define PAGEMAP_FRAME	    ((1ULL << 55) - 1)
#define PAGEMAP_CHUNK_PAGES 512
#define FRAME_TRIES	    8

static bool page_is_of_file(uint64_t entry)
{
	return (entry & PAGEMAP_PRESENT) && (entry & PAGEMAP_FILE);
}

static int read_pagemap(pid_t pid, uint64_t addr, uint64_t *ret_entries, size_t n)
{
	auto_fd int fd = proc_open(pid, "pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t bytes;

	if (fd < 0)
		return fail(-fd, "task %d: open pagemap", pid);
	bytes = pread(fd, ret_entries, n * sizeof(*ret_entries), (off_t)(addr / PAGE_BYTES * sizeof(*ret_entries)));
	if (bytes != (ssize_t)(n * sizeof(*ret_entries)))
		return fail(EIO, "task %d: read pagemap at %#llx", pid, (unsigned long long)addr);
	return 0;
}

/*
 * A page that shows the file: one that is present, or else one that will be when it is read. 1 and
 * the page, or 0 if the task has written all of them privately.
 */
static int find_file_page(pid_t pid, uint64_t start, uint64_t bytes, uint64_t *ret_addr)
{
	uint64_t entries[PAGEMAP_CHUNK_PAGES];
	bool untouched = false;

	for (uint64_t done = 0; done < bytes; done += sizeof(entries) / sizeof(*entries) * PAGE_BYTES) {
		size_t n = min_u64(PAGEMAP_CHUNK_PAGES, (bytes - done) / PAGE_BYTES);
		int err = read_pagemap(pid, start + done, entries, n);

		if (err)
			return err;
		for (size_t i = 0; i < n; i++) {
			bool present = page_is_of_file(entries[i]);

			if (!present && (untouched || (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED))))
				continue;
			*ret_addr = start + done + i * PAGE_BYTES;
			if (present)
				return 1;
			untouched = true;
		}
	}
	return untouched;
}

/* The frame behind @addr, 0 if it can't be seen. */
static uint64_t page_frame(pid_t pid, uint64_t addr)
{
	uint64_t entry;

	return !read_pagemap(pid, addr, &entry, 1) && page_is_of_file(entry) ? entry & PAGEMAP_FRAME : 0;
}

/* 1, 0, or -1 if they can't be seen. The kernel may move a page between two looks, or drop it. */
static int same_frame(pid_t pid, uint64_t addr, uint64_t our_addr)
{
	uint64_t theirs = page_frame(pid, addr);
	uint64_t ours = page_frame(getpid(), our_addr);
	uint64_t theirs_now = page_frame(pid, addr);

	if (!theirs || !ours || !theirs_now)
		return -1;
	if (ours == theirs || ours == theirs_now)
		return 1;
	return theirs == theirs_now ? 0 : -1;
}

/* Reading makes the page present in both. What can't be read shows nothing; whoever runs may make the file shorter. */
static int compare_page(const struct overlay_mapping *mapping, uint64_t addr, uint64_t our_addr, bool passive)
{
	unsigned char theirs[PAGE_BYTES], ours[PAGE_BYTES];
	int same = 1;

	for (int i = 0; i < FRAME_TRIES; i++) {
		int frame;

		if (proc_read_mem(getpid(), our_addr, ours, sizeof(ours)))
			return 1;
		if (!passive)
			same = proc_read_mem(mapping->pid, addr, theirs, sizeof(theirs)) ||
			       !memcmp(theirs, ours, sizeof(ours));
		frame = same_frame(mapping->pid, addr, our_addr);
		if (frame >= 0)
			return frame;
	}
	return same;
}

static int same_page(const struct inode *inode, const struct overlay_mapping *mapping, uint64_t addr, bool passive)
{
	uint64_t offset = mapping->offset + (addr - mapping->start);
	auto_fd int fd = inode_open(inode, passive ? O_RDONLY | O_NOATIME : O_RDONLY);
	void *ours;
	int same;

	if (fd < 0)
		return fd;
	ours = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	if (ours == MAP_FAILED)
		return fail_errno("%s: map one page at %#llx", inode->name, (unsigned long long)offset);
	same = compare_page(mapping, addr, (uintptr_t)ours, passive);
	munmap(ours, PAGE_BYTES);
	return same;
}

/* 1 or 0 if a page that @inode has tells, else -ENODATA. */
static int judge_inside(const struct inode *inode, const struct overlay_mapping *mapping, uint64_t bytes, bool passive)
{
	uint64_t addr;
	int found = find_file_page(mapping->pid, mapping->start, bytes, &addr);

	if (found <= 0)
		return found ?: -ENODATA;
	if (passive && !page_frame(mapping->pid, addr))
		return -ENODATA;
	return same_page(inode, mapping, addr, passive);
}

static bool has_grown(const struct inode *inode)
{
	struct stat st;

	return fstat(inode->fd, &st) || st.st_size > inode->st.st_size;
}

/* Behind the end of @inode nothing can be read, unless the file that is mapped is longer: 0, or -ENODATA. */
static int judge_behind(const struct inode *inode, const struct overlay_mapping *mapping, uint64_t start, bool passive)
{
	cleanup_with(page_scan_closep) struct page_scan *scan = NULL;
	uint64_t from, to;
	char byte;
	int found;

	if (start >= mapping->end)
		return -ENODATA;
	found = page_scan_open(mapping->pid, true, &scan);
	if (found)
		return found;
	page_scan_begin(scan, PAGES_THERE, start, mapping->end);
	found = page_scan_next(scan, &from, &to);
	if (!found && !passive)
		found = !proc_read_mem(mapping->pid, start, &byte, 1);
	if (found <= 0)
		return found ?: -ENODATA;
	return has_grown(inode) ? -ENODATA : 0;
}

int overlay_shows_mapping(const struct inode *inode, const struct overlay_mapping *mapping, bool passive)
{
	uint64_t size = round_up_pages(inode->st.st_size), inside;
	int shows = -ENODATA;

	if (inode->fs_magic != FS_MAGIC_OVERLAY)
		return 1;
	inside = mapping->offset < size ? min_u64(mapping->end - mapping->start, size - mapping->offset) : 0;
	if (inside)
		shows = judge_inside(inode, mapping, inside, passive);
	if (shows != -ENODATA)
		return shows;
	return mapping->may_write ? 1 : judge_behind(inode, mapping, mapping->start + inside, passive);
}

/* Where no page tells: the parts of a mapping, or of a program, stay one thing. */
static bool continues_lower(const struct overlay_mapping *mapping, const struct inode *inode)
{
	return mapping->before && mapping->before == inode->lower;
}

int overlay_find_inode(struct inodes *inodes, const struct overlay_mapping *mapping, struct inode **inode,
		       struct refusals *refusals)
{
	int shows = overlay_shows_mapping(*inode, mapping, inodes->passive);

	if (shows == -ENODATA)
		shows = !continues_lower(mapping, *inode);
	if (shows)
		return shows < 0 ? shows : 0;
	if (mapping->may_write) {
		refuse_object(refusals, (*inode)->id,
			      "%s: this mapping can be written, but shows other pages than the file it leads to: were "
			      "layers of the overlayfs changed underneath? Unmap it before the dump",
			      (*inode)->name);
		return 0;
	}
	*inode = inode_lower(inodes, *inode);
	return *inode ? 0 : -EIO;
}

bool overlay_fd_maps_lower(const struct inode *inode, int fd)
{
	struct overlay_mapping mapping = { .pid = getpid() };
	bool lower;
	void *page;

	if (inode->fs_magic != FS_MAGIC_OVERLAY || !S_ISREG(inode->st.st_mode))
		return false;
	page = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return false;
	mapping.start = (uintptr_t)page;
	mapping.end = mapping.start + PAGE_BYTES;
	lower = !overlay_shows_mapping(inode, &mapping, false);
	munmap(page, PAGE_BYTES);
	return lower;
}

bool overlay_was_lower(const struct inode *inode)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode->fd);
	return getxattr(path, OVERLAY_LOWER_XATTR, NULL, 0) >= 0;
}
