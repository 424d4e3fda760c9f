/*
 * Files that overlayfs copied up while they were mapped. Such a mapping stays on the page cache of the lower
 * file, although every number and every descriptor says that it is the upper one. So one inode is two objects:
 * the file, and what the older mappings show. The latter never changes any more, and its content is read through the
 * mappings, for nothing else leads there.
 */
#ifndef CRIU_MEM_OVERLAY_H
#define CRIU_MEM_OVERLAY_H

#include "mem/inode.h"
#include "util/refusals.h"

struct overlay_mapping {
	pid_t pid;
	uint64_t start, end;
	uint64_t offset;	    /* of its start in the file */
	bool may_write;		    /* to the file: then only pages that the file has are looked at */
	const struct inode *before; /* of the mapping that ends where this one starts; NULL: there is none */
};

/**
 * overlay_shows_mapping - does the mapping show the pages that @inode has now?
 *
 * Told by the page frame behind one page, or by its content when the frame can't be seen (no CAP_SYS_ADMIN).
 * @passive: the task runs, and reading would make pages present in it: nothing tells if it has read none yet
 * Return: 1 yes (always, on other file systems), 0 no: those of inode_lower(); -ENODATA, silently, if nothing tells,
 * for the task has written all pages privately; else logged -errno.
 */
int must_check overlay_shows_mapping(const struct inode *inode, const struct overlay_mapping *mapping, bool passive);

/**
 * overlay_find_inode - what the mapping is of: *inode becomes inode_lower() of it where it shows that
 * Where nothing tells, it is what the mapping right before it is of. Refuses what overlayfs does not let happen.
 */
int must_check overlay_find_inode(struct inodes *inodes, const struct overlay_mapping *mapping, struct inode **inode,
				  struct refusals *refusals);

/**
 * overlay_fd_maps_lower - would a mapping made through @fd, open for reading, show the lower file of @inode?
 * Such a descriptor was opened before the copy-up. Opens @inode for reading.
 */
bool overlay_fd_maps_lower(const struct inode *inode, int fd);

/*
 * What a lower file was restored to is an object of any size for later dumps as well. A deleted file has no place to
 * say so but an extended attribute, which only CAP_SYS_ADMIN sees.
 */
#define OVERLAY_LOWER_XATTR "trusted.criu.lower"

/** overlay_was_lower - is @inode, a deleted file, what restore has made of a lower file? */
bool overlay_was_lower(const struct inode *inode);

/** overlay_find_size - set st_size of @lower to where its mappings end to show anything; its tasks are stopped. */
int must_check overlay_find_size(struct inode *lower);

/* The content of a lower file, as far as its mappings show it. */
struct overlay_views;

int must_check overlay_views_open(const struct inode *lower, struct overlay_views **ret);
void overlay_views_close(struct overlay_views *views);

/** overlay_views_next - the first range at or behind @from that a mapping shows: 1 and the range, else 0. */
int overlay_views_next(const struct overlay_views *views, uint64_t from, uint64_t *ret_start, uint64_t *ret_end);

/** overlay_views_read - @bytes from @offset on, whole pages of one range; logged -errno. */
int must_check overlay_views_read(const struct overlay_views *views, char *buf, size_t bytes, uint64_t offset);

#endif
