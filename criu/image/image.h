/*
 * Image directory: framing, and the model written to it and read from it.
 *
 * A dump writes every file with mode 0600 under its final name (a new file,
 * never reached through a symlink, relative to the directory's descriptor)
 * except the inventory, which image_commit() renames into place last, after
 * everything else is on disk: that is the commit point. An old inventory in the directory is removed first, so a directory
 * never looks complete while it is not.
 */
#ifndef CRIU_IMAGE_IMAGE_H
#define CRIU_IMAGE_IMAGE_H

#include <stdbool.h>

#include <protobuf-c/protobuf-c.h>

#include "image/model.h"

struct image_dir {
	int fd;		   /* owned */
	const char *path;  /* for messages; borrowed */
	VEC(int) unsynced; /* descriptors of written files, kept until image_sync(); owned */
	bool many;	   /* more files were written than are kept open: image_sync() does them all at once */
	bool failed;	   /* some of those that are not kept any more could not be synced */
};

enum image_kind {
	IMAGE_INVENTORY,
	IMAGE_PSTREE,
	IMAGE_CORE,
	IMAGE_IDS,
	IMAGE_MM,
	IMAGE_FS,
	IMAGE_FDINFO,
	IMAGE_FILES,
	IMAGE_REMAP_FPATH,
	IMAGE_GHOST_FILE,
	IMAGE_SHMEM_FILE,
	IMAGE_EXTERNAL_OBJECT,
	IMAGE_CARRIED_FILE,
	IMAGE_CARRIED_DIR,
	IMAGE_MEMFD,
	IMAGE_SYSV_SHM,
	IMAGE_SYSV_SEM,
	IMAGE_SYSV_MSG,
	IMAGE_MQUEUE,
	IMAGE_MQUEUE_DATA,
	IMAGE_PIPES_DATA,
	IMAGE_FIFO_DATA,
	IMAGE_SK_QUEUES,
	IMAGE_TCP_STREAM,
	IMAGE_TTY_INFO,
	IMAGE_TTY_DATA,
	IMAGE_FILE_LOCKS,
	IMAGE_SECCOMP,
	IMAGE_PAGEMAP,
	IMAGE_PAGEMAP_SHMEM,
	IMAGE_PAGES,
	IMAGE_STATS, /* id: 0 dump, 1 restore */
	IMAGE_KINDS
};

int must_check image_dir_open(const char *path, struct image_dir *ret);
void image_dir_close(struct image_dir *dir);

/* --- one file -------------------------------------------------------- */

struct image_writer;

/** image_create - new file of @kind named after @id; header already written (buffered). */
int must_check image_create(struct image_dir *dir, enum image_kind kind, uint64_t id, struct image_writer **ret);
int must_check image_write_entry(struct image_writer *writer, const ProtobufCMessage *msg);
int must_check image_write_raw(struct image_writer *writer, const void *data, size_t bytes);

/** image_finish - flush and hand the descriptor to the directory's unsynced list; frees @writer. */
int must_check image_finish(struct image_writer *writer);
/** image_abort - free a writer after an error; the file is left for the caller to unlink. */
void image_abort(struct image_writer *writer);

struct image_reader;

/** image_open - 0, or -ENOENT silently (a missing image is an empty one), or logged -errno. */
int must_check image_open(const struct image_dir *dir, enum image_kind kind, uint64_t id, struct image_reader **ret);

/**
 * image_read_entry - next entry, unpacked into @arena
 * Return: 1 and *ret, 0 at the end of the file, negative errno (logged).
 */
int must_check image_read_entry(struct image_reader *reader, const ProtobufCMessageDescriptor *type,
				struct arena *arena, void **ret);
/** image_read_raw - exactly @bytes bytes or an error. */
int must_check image_read_raw(struct image_reader *reader, void *buf, size_t bytes);
/** image_rest - descriptor, offset and length of what follows the entries read so far; fd borrowed. */
int must_check image_rest(struct image_reader *reader, int *ret_fd, uint64_t *ret_offset, uint64_t *ret_bytes);
void image_close(struct image_reader *reader);

/* --- the whole directory ---------------------------------------------- */

/** image_write - every message of @model except the inventory. */
int must_check image_write(struct image_dir *dir, const struct model *model);

/** image_sync - everything written so far is on disk when it returns 0. */
int must_check image_sync(struct image_dir *dir);

/**
 * image_prepare_commit - write the inventory under a temporary name; sync it and all that was not synced yet
 * image_commit - the commit point: rename it into place and sync the directory.
 * Async-signal-safe and callable from a forked child.
 */
int must_check image_prepare_commit(struct image_dir *dir, const struct model *model);
int must_check image_commit(int dir_fd);

/** image_remove_inventory - forget an earlier dump in this directory, and what this one has written so far. */
int must_check image_remove_inventory(struct image_dir *dir);

/** image_read - load and validate everything; no image byte is trusted. */
int must_check image_read(struct image_dir *dir, struct model *ret);

#endif
