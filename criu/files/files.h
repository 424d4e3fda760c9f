/*
 * What a descriptor can be: one file a kind, and one table of kinds
 * (files.c). Dump, make and settle of a kind stand side by side.
 */
#ifndef CRIU_FILES_FILES_H
#define CRIU_FILES_FILES_H

#include "mem/remap.h"
#include "mem/vma.h"
#include "remote/courier.h"

/* One open file description of the tree, while it is being dumped. */
struct file_desc {
	int fd;	   /* our duplicate (pidfd_getfd); owned */
	pid_t pid; /* a task that has it, and its number there; in flight: of the socket where it can be received */
	int target_fd;
	bool in_flight; /* no task has it: it was found in the queue of a socket */
	struct stat st;
	struct proc_fdinfo info;
	char *link;	     /* readlink text of /proc/PID/fd/N, " (deleted)" included */
	struct inode *inode; /* interned for regular files, directories, fifos, devices, memfds */
	FileEntry *entry;
	const struct desc_node *node;
};

struct files_dump {
	struct model *model;
	const struct options *options;
	const struct kernel_features *features;
	struct inodes *inodes;
	const struct remote_tree *tree;
	struct refusals *refusals;
	struct files_dump_state *state; /* private to files.c */
};

struct files_restore {
	const struct model *model;
	const struct options *options;
	const struct image_dir *dir;
	struct shmem_restore *shmem;
	struct remap_restore *remaps;
	struct guard *guard;
	struct files_restore_state *state; /* private to files.c */
};

/* Where numbers are put on descriptions: a puppet that has no descriptor of its own yet. */
struct files_attach {
	uint32_t files_id; /* the table it is going to have */
	const struct courier *courier;
	struct batch *batch; /* of its driver */
};

struct made_file;

struct file_kind {
	FdTypes type;
	const char *name;
	/* Can it be made only when all processes exist? Optional. */
	bool (*needs_tasks)(const struct model *model, const FileEntry *entry);

	/* Dump. Is this description one of ours? Kinds are asked in table order. */
	bool (*match)(const struct file_desc *desc);
	/* Plan: fill entry's sub-message from outside, or refuse. The target is untouched. */
	int (*plan)(struct files_dump *ctx, struct file_desc *desc);
	/*
	 * Plan, when every descriptor table is known: descriptions that only this one leads to, with
	 * files_collect_in_flight(). Only with resolve or dump. Optional.
	 */
	int (*collect)(struct files_dump *ctx, struct file_desc *desc);
	/* Plan, when every description of the tree is known: references to other ones. desc->fd is closed. Optional. */
	int (*resolve)(struct files_dump *ctx, struct file_desc *desc);
	/* Write: content that lives outside the entry (pipe data). Optional. */
	int (*dump)(struct files_dump *ctx, struct file_desc *desc);

	/* Restore. Check an untrusted entry. */
	int (*validate)(const struct model *model, const FileEntry *entry);
	/*
	 * Make the description once, in this process: 0 and ret->fd, owned, with the entry's status flags and position,
	 * unless ret->inherited.
	 */
	int (*make)(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret);
	/*
	 * What remembers the number of a descriptor; called for each table that names the description, or, if none
	 * does, for each table. Optional.
	 */
	int (*attach)(struct files_restore *ctx, const FileEntry *entry, const struct files_attach *at);
	/* What needs every task in place (content of pipes may come here or in make). Optional. */
	int (*settle)(struct files_restore *ctx, const FileEntry *entry, int fd);
};

extern const struct file_kind *const file_kinds[];
extern const size_t file_kinds_len;

/* --- dump ------------------------------------------------------------------ */

/**
 * files_collect - every descriptor of @process, into the model's table @files_id
 *
 * Descriptions are interned by kcmp(2) across the whole tree: one FileEntry per description. A description
 * that a relative shares keeps its id. Refuses kinds nobody matches, by name, with the
 * option that would help where mainline has one.
 */
int must_check files_collect(struct files_dump *ctx, struct remote_process *process, uint32_t files_id);

/**
 * files_ask - what files_collect() left to the tasks to tell, by remote calls
 * @processes: @n living ones that can run them (remote_open())
 */
int must_check files_ask(struct files_dump *ctx, struct remote_process **processes, size_t n);

/** files_collect_path - regular-file entry for /proc/PID/@name: "exe", "cwd" or "root". */
int must_check files_collect_path(struct files_dump *ctx, struct remote_process *process, const char *name,
				  uint32_t *ret_id);

/** files_collect_vma - regular-file or memfd entry for the file behind @vma; sets entry->shmid and fdflags. */
int must_check files_collect_vma(struct files_dump *ctx, struct remote_process *process, struct vma *vma);

/** files_resolve - the end of the plan for files, after the last files_collect(). */
int must_check files_resolve(struct files_dump *ctx);

/** files_dump - content of descriptions (after the plan was accepted). */
int must_check files_dump(struct files_dump *ctx);
/** files_silence - the tasks are about to be killed, and nobody outside is to notice from their connections. */
void files_silence(struct files_dump *ctx);
/** files_takings - what has to be taken at the commit; @notes: of the guard; @ret: valid until files_dump_free() */
int must_check files_takings(struct files_dump *ctx, void *notes, struct guard_takings *ret);
void files_dump_free(struct files_dump *ctx);

/* --- restore --------------------------------------------------------------- */

int must_check files_validate(const struct model *model);
/** files_validate_options - were the options given that what is in the model needs? */
int must_check files_validate_options(const struct model *model, const struct options *options);

/**
 * files_make - make every description that a descriptor table names, once each, as descriptors of ours
 * files_make_of_tasks - those that files_make() had to leave out, once all processes exist
 */
int must_check files_make(struct files_restore *ctx);
int must_check files_make_of_tasks(struct files_restore *ctx);

/** files_release - the restore is committed, the tasks are about to run: TCP connections may send and receive again. */
void files_release(struct files_restore *ctx);

/** files_fd - our descriptor of description @id made by files_make(); borrowed; logged -ENOENT. */
int must_check files_fd(struct files_restore *ctx, uint32_t id);

typedef VEC(struct courier_item) courier_items;

/**
 * files_table - what to install into descriptor table @files_id, ascending by number
 * @ret: filled after files_make(); the caller frees it with VEC_FREE, the descriptors stay ours
 */
int must_check files_table(struct files_restore *ctx, uint32_t files_id, courier_items *ret);

/** files_numbers_end - a number above every descriptor of every table, and every one that is remembered. */
int files_numbers_end(const struct model *model);

/**
 * files_attach - what depends on the numbers in table @files_id: what epoll instances watch, O_ASYNC
 * @process: the puppet that is going to own the table; its own is still empty but for @courier
 */
int must_check files_attach(struct files_restore *ctx, uint32_t files_id, const struct courier *courier,
			    struct remote_process *process);

/** files_map_fd - descriptor to map file @id with (opened on first use, mode by @entry); borrowed. */
int must_check files_map_fd(struct files_restore *ctx, const VmaEntry *entry);

/** files_path_fd - O_PATH or read-only descriptor for exe, cwd, root @id; borrowed. */
int must_check files_path_fd(struct files_restore *ctx, uint32_t id);

/** files_settle - once every task has its descriptors. */
int must_check files_settle(struct files_restore *ctx);

/** files_look_up_owners - once tasks have their credentials: descriptors of files in /proc show their owner again. */
void files_look_up_owners(const struct model *model);
void files_restore_free(struct files_restore *ctx);

#endif
