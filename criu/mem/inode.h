/*
 * Which inode is it? The one place that decides whether two descriptors or
 * mappings refer to the same object: by what the kernel opens, never by the
 * numbers or names in /proc text.
 */
#ifndef CRIU_MEM_INODE_H
#define CRIU_MEM_INODE_H

#include <sys/stat.h>

#include "image/model.h"
#include "mem/guard.h"
#include "remote/process.h"

enum inode_kind {
	INODE_FILE,	   /* has or had a name on a mounted file system */
	INODE_ANON_SHARED, /* mmap(MAP_SHARED|MAP_ANONYMOUS) */
	INODE_MEMFD,	   /* and anonymous shared memory of huge pages */
	INODE_SYSV,	   /* System V segment */
	INODE_OTHER,	   /* pipe, socket, device, anon_inode: nothing to keep */
};

/* A task of the tree that holds an inode, for messages and for inspect. */
struct inode_holder {
	pid_t pid;
	uint64_t start, end; /* mapping; 0,0 for a descriptor */
	uint64_t offset;     /* of the mapping in the inode */
	int fd;		     /* -1 for a mapping */
	uint32_t file_id;    /* entry of a descriptor's description; 0: none */
	char access[5];	     /* "rw-s" as in /proc/PID/maps; "r", "w", "rw" for a descriptor */
	bool write;
	bool in_flight; /* in a message that waits in the queue of socket fd */
};

struct outside_holder;

/* What name_to_handle_at(2) knows an inode by: its number and generation. */
struct inode_handle {
	unsigned int bytes; /* 0: this file system has none */
	int type;
	int mount_id;
	unsigned char data[128];
};

struct inode {
	uint32_t id; /* 1, 2, ... in order of first sight: the shmid in images */
	enum inode_kind kind;
	int fd; /* O_PATH or better; owned; keeps the number from being reused */
	struct stat st;
	struct inode_handle handle;
	uint64_t fs_magic;
	uint64_t huge_bytes; /* page size if it is on a hugetlbfs, else 0 */
	char *name;	     /* path as first seen, without " (deleted)"; owned */
	bool deleted;	     /* that path is gone */
	bool unlinked;	     /* no name is left and none can be made */
	bool mapped_shared;  /* by a task of the tree */
	bool leased;	     /* to a task of the tree: opening it would break that. Known with all descriptors */
	uint64_t mapped_end; /* highest byte any shared mapping covers */
	VEC(struct inode_holder) holders;

	/* mem/carried.h */
	bool carry;			 /* its content goes into the images although it has links left */
	VEC(const char *) carried_names; /* by which the tree uses it; they are the model's */
	CarriedFileEntry *carried;	 /* once its content is there */

	/* overlayfs, mem/overlay.h */
	struct inode *lower; /* what mappings from before the copy-up show; NULL: there are none */
	bool is_lower; /* this is such a one: only its mappings lead to it, and st is the upper file's but for the size */
	bool was_lower; /* restore made it of such a one. Known with remap_plan() */

	/* Outside the tree, mem/external.h */
	VEC(struct outside_holder) outsiders;
	bool shared_outside; /* one side could see what the other writes */
	bool attached;	     /* restore attaches the tree to their object */

	/* Deleted names, mem/remap.h */
	VEC(const FileEntry *) remap_files; /* entries whose name is gone */
	uint32_t ghost_id;		    /* 0: not a ghost */
	FileEntry *link;		    /* entry of its link-remap, or NULL */
	int link_slot;			    /* of that link's name in the guard */
	bool link_made;

	struct inode *next; /* with the same numbers */
};

struct inodes {
	VEC(struct inode *) all;
	struct hash by_number; /* (st_dev, st_ino) -> first of a chain, then compared properly */
	dev_t shm_dev;	       /* of the kernel's own tmpfs: memfds, anonymous shared memory; 0: not asked yet */
	struct guard *guard;   /* where temporary names are registered; borrowed, may be NULL */
	bool passive;	       /* the tasks run: leave no trace, and don't hold their descriptions */
};

#define FS_MAGIC_TMPFS	   0x01021994
#define FS_MAGIC_HUGETLBFS 0x958458f6
#define FS_MAGIC_OVERLAY   0x794c7630
#define FS_MAGIC_SECRETMEM 0x5345434d
#define FS_MAGIC_MQUEUE	   0x19800202

/** inode_is_anon_huge - is @fd what the kernel makes for MAP_ANONYMOUS|MAP_HUGETLB? @name: as /proc shows it. */
bool inode_is_anon_huge(int fd, const struct stat *st, const char *name);

/** inode_read_handle - *ret->bytes is 0 when the file system has no handles; logged -errno for other errors. */
int must_check inode_read_handle(int fd, struct inode_handle *ret);

/**
 * inode_intern - the inode that @fd refers to
 * @fd:   any descriptor (O_PATH will do); borrowed, duplicated if it is new
 * @st:   what fstat(2) says of it
 * @name: what /proc said (readlink text); its " (deleted)" suffix is understood
 * Return: the one struct for this inode, owned by @inodes; NULL on a logged error.
 */
struct inode *inode_intern(struct inodes *inodes, int fd, const struct stat *st, const char *name);

/** inode_same_handle - of two inodes with the same numbers; true where the file system has no handles. */
bool inode_same_handle(const struct inode_handle *a, const struct inode_handle *b);

/** inode_same - do the two descriptors refer to one inode? 1, 0 or logged -errno. */
int must_check inode_same(int fd_a, int fd_b);

/** inode_get - the interned inode with the identity of @fd, whose numbers are in @st; NULL if there is none. */
struct inode *inode_get(const struct inodes *inodes, int fd, const struct stat *st);

/** inode_open - a new descriptor of @inode opened with @flags; owned by the caller; logged -errno. */
int must_check inode_open(const struct inode *inode, int flags);

/** inode_open_to_read - the same with O_RDONLY, so that reading and mapping move no access time, where we may. */
int must_check inode_open_to_read(const struct inode *inode);

/**
 * inode_lower - the file of a lower layer that @inode of an overlayfs was copied up from, see mem/overlay.h
 * Return: one and the same for each @inode, owned by @inodes; no number and no descriptor leads to it; NULL on a
 * logged error.
 */
struct inode *inode_lower(struct inodes *inodes, struct inode *inode);

/** inode_first_holder - where in the tree to look for an object, for messages: "task 5 fd 7"; owned by the caller. */
char *inode_first_holder(const struct inode *inode);

/** inode_fd_access - "r", "w" or "rw" by the @flags of open(2); O_PATH is "p". */
const char *inode_fd_access(unsigned int flags);

void inode_add_holder(struct inode *inode, const struct inode_holder *holder);
void inodes_free(struct inodes *inodes);

#endif
