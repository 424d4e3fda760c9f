/*
 * What the kinds of files share among themselves: the drivers' state, flags,
 * and the small helpers every kind needs. Nothing outside this folder includes it.
 */
#ifndef CRIU_FILES_INTERNAL_H
#define CRIU_FILES_INTERNAL_H

#include <fcntl.h>

#include "files/files.h"
#include "kernel/proc-owner.h"
#include "util/log.h"

/* Bits that open(2) takes and a restored description must never be opened with. */
#define FILE_FLAGS_NEVER (O_CREAT | O_EXCL | O_TRUNC | O_NOCTTY | O_CLOEXEC)
/* O_TMPFILE without the O_DIRECTORY it contains. The kernel keeps both in the status flags of a plain file. */
#define FILE_FLAG_TMPFILE (O_TMPFILE & ~O_DIRECTORY)
/* fcntl(2) F_GETFL shows it, the C library hides it on 64 bits. */
#define FILE_FLAG_LARGEFILE 0100000

/* --- kinds ----------------------------------------------------------------- */

extern const struct file_kind reg_kind;
extern const struct file_kind memfd_kind;
extern const struct file_kind pipe_kind;
extern const struct file_kind fifo_kind;
extern const struct file_kind eventfd_kind;
extern const struct file_kind eventpoll_kind;
extern const struct file_kind tty_kind;
extern const struct file_kind signalfd_kind;
extern const struct file_kind timerfd_kind;
extern const struct file_kind inotify_kind;
extern const struct file_kind fanotify_kind;
extern const struct file_kind pidfd_kind;
extern const struct file_kind unix_kind;
extern const struct file_kind netlink_kind;
extern const struct file_kind inet_kind;
extern const struct file_kind packet_kind;
extern const struct file_kind ns_kind;
extern const struct file_kind mqueue_kind;

/** file_kind_of - the kind of an entry, or NULL when this version has none for it. */
const struct file_kind *file_kind_of(FdTypes type);

/** file_type_name - how messages call an image's file type: "unix socket". */
const char *file_type_name(FdTypes type);

/* --- dump ------------------------------------------------------------------ */

/* A lock in the model, until all is known (locks.c). */
struct held_lock {
	FileLockEntry *entry;
	pid_t taker;	   /* who took it: in the tree or not, dead or alive; 0 and below: unknown */
	uint32_t files_id; /* whose POSIX lock it is; 0: it is the description's */
	const struct desc_node *node;
	struct proc_lock lock; /* as the kernel shows it */
	const char *name;      /* of the file */
	dev_t dev;	       /* of the file, by fstat(2) */
	ino_t ino;
};

struct files_dump_state {
	struct hash groups; /* (st_dev, number of the object) -> struct desc_group * */
	VEC(struct desc_group *) all_groups;
	VEC(int) node_fds;		  /* of all struct desc_node; owned */
	struct hash twins;		  /* (st_dev and number in a task, st_ino) -> last description seen there */
	struct hash numbered;		  /* (pid, number) -> the description it has there */
	struct hash asks;		  /* (pid, 0) -> struct flag_asks * */
	VEC(struct flag_asks *) all_asks; /* owned */
	struct hash opened;		  /* (inode, flags) -> chain of entries that are not descriptions */
	struct hash pipes;		  /* (pipe id, is a fifo) -> struct pipe_seen * */
	struct hash names;		  /* inode -> struct checked_name * */
	struct hash lock_sets;		  /* (struct desc_node *, table or 0) -> struct lock_set * */
	VEC(struct held_lock) locks;
	struct lock_waiters *lock_waiters; /* owned; NULL before the first look (locks-waiters.c) */
	struct proc_owners owners;
	struct hash fresh;		 /* (family, type and protocol) -> descriptor of a new socket + 1 */
	VEC(int) all_fresh;		 /* owned */
	struct unix_dump *unixes;	 /* in the arena; NULL before the first one */
	struct inet_dump *inets;	 /* likewise */
	struct tty_dump *ttys;		 /* likewise */
	struct packet_dump *packets;	 /* the same of packet sockets */
	struct mqueue_dump *mqueues;	 /* likewise */
	struct fown_quiet *quiet;	 /* likewise */
	struct irmap *irmap;		 /* NULL before the first inode without a handle */
	struct peek_guard *peek_guard;	 /* one for all sockets (unix-peek.c); NULL before the first */
	VEC(struct file_desc *) pending; /* descriptions with references to resolve or content to write; owned */
};

/** unix_dump_free, inet_dump_free - what is known of sockets. */
void unix_dump_free(struct files_dump_state *state);
void inet_dump_free(struct files_dump_state *state);

/** sock_fresh_free - close the new sockets that others were compared with. */
void sock_fresh_free(struct files_dump_state *state);

/** packet_dump_free - what is known of packet sockets. */
void packet_dump_free(struct files_dump_state *state);

/** files_dump_state - created on first use. */
struct files_dump_state *files_dump_state(struct files_dump *ctx);

/** file_desc_read - fill @ret, link excepted, with what the kernel shows of descriptor @fd; freed by file_desc_free(). */
int must_check file_desc_read(struct remote_process *process, int fd, struct file_desc *ret);

/** file_desc_read_link - fill in the link, which only a description seen for the first time needs. */
int must_check file_desc_read_link(struct file_desc *desc);

/**
 * files_collect_in_flight - the description that a message in a queue carries, as if a table named it
 * @carrier: the socket with the queue
 * @fd:      a descriptor of ours; taken
 * @ret:     its entry; NULL if it was refused
 */
int must_check files_collect_in_flight(struct files_dump *ctx, const struct file_desc *carrier, int fd,
				       FileEntry **ret);

/** file_desc_free - close our duplicate and free the strings; the struct itself stays. */
void file_desc_free(struct file_desc *desc);

/* An open file description of the tree, as long as the dump lasts. */
struct desc_node {
	pid_t self; /* criu */
	pid_t pid;  /* who has it, and its number there; in flight: criu and its duplicate */
	int target_fd;
	int fd;		     /* our duplicate, to compare with; -1 if there was no room for one */
	struct inode *inode; /* or NULL */
	FileEntry *entry;    /* NULL: refused */
	unsigned int flags;  /* of the description, as first seen */
	enum {
		LOCKS_UNKNOWN,
		LOCKS_NONE,
		LOCKS_PERHAPS,
	} locks; /* through it, or POSIX locks on its file */
};

/* --- files-inherited.c: descriptors that a child has from its parent ---------- */

/** inherited_note - process @pid has the description @node under the number @fd. */
void inherited_note(struct files_dump *ctx, pid_t pid, int fd, struct desc_node *node);

/**
 * inherited_find - the description that a stopped process has from its parent under the same number
 * Return: NULL if the descriptor has to be read: it is another, or POSIX locks may be held through it.
 */
struct desc_node *inherited_find(struct files_dump *ctx, const struct remote_process *process, int fd);

/** inherited_ask - the close-on-exec flag of @slot is to be asked for (files_ask()); it lives as long as the model. */
void inherited_ask(struct files_dump *ctx, const struct remote_process *process, FdinfoEntry *slot);

void inherited_free(struct files_dump_state *state);

/* The descriptions of one object. */
struct desc_group {
	void *root; /* of tsearch(3), of struct desc_node; its own nodes are owned */
};

/** file_desc_groups_free - release the groups' trees and the list of them. */
void file_desc_groups_free(struct files_dump_state *state);

/**
 * file_desc_intern - the node of the description that @desc shows
 * @ret_new: it was seen for the first time
 */
int must_check file_desc_intern(struct files_dump *ctx, const struct file_desc *desc, struct desc_node **ret,
				bool *ret_new);

/* What an epoll instance watches, as its fdinfo shows it. */
struct epoll_watch {
	pid_t pid; /* a task that has the instance, and its number there */
	int epoll_fd;
	uint32_t tfd; /* number of the target when it was added */
	uint32_t nth; /* of the targets with this number, in the order of fdinfo */
	dev_t dev;    /* of the target's inode; not always what fstat(2) shows of it */
	uint64_t ino;
};

/** file_desc_watched - the node of the description that is watched; NULL if the tree does not have it. */
int must_check file_desc_watched(struct files_dump *ctx, const struct epoll_watch *watch, struct desc_node **ret);

/** files_process - the process of the tree with this pid, or NULL. */
const struct remote_process *files_process(const struct files_dump *ctx, pid_t pid);

/** outside_owner_text - "process 41 (tee)": one outside the tree that has the socket, or pipe, open; owned by the caller. */
char *outside_owner_text(struct files_dump *ctx, uint64_t ino, bool pipe);

/** unsupported_refuse - refuse a description that no kind matched, saying what it is. */
void unsupported_refuse(struct files_dump *ctx, const struct file_desc *desc);

/* --- restore ---------------------------------------------------------------- */

/* A description made by files_make(). */
struct made_file {
	const FileEntry *entry;
	const struct file_kind *kind;
	int fd;		/* owned */
	bool inherited; /* whoever gave it with --inherit-fd has the same description: nothing of it is changed */
	bool attached;	/* some table that names it was */
};

/* A pipe or fifo while its descriptions are made. */
struct made_pipe {
	int read_fd, write_fd;
	bool read_taken, write_taken; /* it became a description: not ours to close */
};

/* Where a path of the images leads. */
struct looked_up {
	const char *name; /* NULL: nothing is known */
	int fd;		  /* O_PATH; owned */
	struct stat st;
};

struct files_restore_state {
	struct hash made;		   /* file id -> struct made_file * */
	VEC(struct made_file *) all_made;  /* owned */
	struct hash opened;		   /* (file id, access mode) -> descriptor + 1 */
	VEC(int) all_opened;		   /* owned */
	struct hash pipes;		   /* (pipe id, is a fifo) -> struct made_pipe * */
	VEC(struct made_pipe *) all_pipes; /* owned */
	struct hash pipe_data;		   /* (pipe id, is a fifo) -> struct pipe_data_image * */
	struct hash packet_pipes;	   /* (pipe id, is a fifo) -> anything: a writer has O_DIRECT set */
	struct hash gone_pidfds;	   /* file id -> descriptor + 1, of all_opened */
	struct hash ttys_settled;	   /* tty info id -> anything */
	struct unix_restore *unixes;	   /* in the arena; NULL before the first one */
	struct inet_restore *inets;	   /* likewise */
	struct tty_restore *ttys;	   /* likewise */
	struct hash mqueues;		   /* (queue id, file id) -> descriptor + 1, of all_opened */
	struct looked_up looked_up;	   /* the last one */
	struct hash slots;		   /* (table, number) -> FdinfoEntry * */
	VEC(struct made_file *) in_flight; /* those of all_made that no table names */
	struct hash named;		   /* file id -> a FdinfoEntry * with it */
	struct hash first_slots;	   /* (table, file id) -> the first FdinfoEntry * with it */
	struct hash locks;		   /* pid -> struct lock_chain * */
};

/** inet_validate_connections - are the options given that TCP connections need? */
int must_check inet_validate_connections(const struct model *model, const struct options *options);

/** unix_restore_free, inet_restore_free - sockets that no description took. */
void unix_restore_free(struct files_restore_state *state);
void inet_restore_free(struct files_restore_state *state);

/** files_restore_state - created on first use. */
struct files_restore_state *files_restore_state(struct files_restore *ctx);

/** files_made - what files_make() made of file @id, or NULL. */
struct made_file *files_made(const struct files_restore *ctx, uint32_t id);

/**
 * files_slot - descriptor @number of table @files_id, or NULL
 * files_first_slot - its first descriptor of file @id, or NULL
 * files_is_named - has any table a descriptor of file @id? If not, it is on its way in a message.
 */
bool files_is_named(const struct files_restore *ctx, uint32_t id);
const FdinfoEntry *files_slot(const struct files_restore *ctx, uint32_t files_id, uint32_t number);
const FdinfoEntry *files_first_slot(const struct files_restore *ctx, uint32_t files_id, uint32_t id);

/**
 * attach_lend - queue: our descriptor @fd becomes @number in the empty table
 * attach_return - queue: and goes again
 * Together at most ATTACH_LEND_OPS calls; the caller has made room.
 */
#define ATTACH_LEND_OPS 4
void attach_lend(const struct files_attach *at, int fd, int number);
void attach_return(const struct files_attach *at, int number);

/* --- helpers ---------------------------------------------------------------- */

/** file_open_flags - recorded status flags without those that only make sense when a file is first opened. */
static inline int file_open_flags(int flags)
{
	if (flags & FILE_FLAG_TMPFILE)
		flags &= ~O_TMPFILE;
	return flags & ~(FILE_FLAGS_NEVER | O_ASYNC);
}

/** file_reopen - a new description of the object behind @fd, close-on-exec, with status flags @flags; -errno, not logged. */
int must_check file_reopen(int fd, int flags);

/**
 * file_path - the path in readlink text of /proc/PID/fd/N
 * @st: of the file, to tell a deleted name from one that really ends in " (deleted)"
 * Return: a copy in @arena.
 */
const char *file_path(struct arena *arena, const char *link, const struct stat *st);

/** fdinfo_number - number (@base 8, 10 or 16) in the line "@key: ..." of fdinfo text; false if there is none. */
bool fdinfo_number(const char *text, const char *key, unsigned int base, uint64_t *ret);

/** files_raise_limit - our soft RLIMIT_NOFILE up to the hard one: a tree's descriptors pass through us. */
void files_raise_limit(void);

#endif
