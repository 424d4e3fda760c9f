/* Who outside the tree holds one of our objects: a scan of every other process that /proc shows. */
#ifndef CRIU_MEM_HOLDERS_H
#define CRIU_MEM_HOLDERS_H

#include "mem/inode.h"

struct outside_holder {
	const struct inode *inode; /* of the dump */
	pid_t pid;
	pid_t tid;	     /* the thread in whose table the descriptor is; 0: that of the main thread, or a mapping */
	uint64_t start_time; /* as in /proc/PID/stat */
	char comm[64];
	uint64_t start, end; /* mapping; 0,0 for a descriptor */
	int fd;		     /* -1 for a mapping */
	char access[5];	     /* "rw-s" as in /proc/PID/maps; "r", "w", "rw" for a descriptor */
	bool mapped_shared;
	bool write; /* could change the object through it, after mprotect(2) if need be */
};

typedef VEC(struct outside_holder) outside_holders;

/* Which inodes are asked about. */
enum holders_of {
	HOLDERS_OF_UNLINKED, /* those without a name */
	HOLDERS_OF_SHARED,   /* also files that the tree maps shared */
};

/**
 * holders_find_outside - mappings and descriptors of interned inodes, in processes outside @tree
 * Files that have a name: shared mappings only.
 *
 * Not seen: descriptors in flight in sockets, or held by the kernel itself (io_uring, KVM), and processes of sibling
 * pid namespaces. We and our descendants hold duplicates and don't count. Linear in what the machine's processes map
 * and hold open.
 */
int must_check holders_find_outside(const struct inodes *inodes, const struct remote_tree *tree, enum holders_of of,
				    outside_holders *ret);

/** holders_text - each of them: "41 (worker) 7f0000000000-7f0000001000 rw-s; 42 (log) fd 7 r"; owned by the caller. */
char *holders_text(const struct outside_holder *holders, size_t n);

#endif
