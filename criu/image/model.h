/*
 * The model of a checkpoint: the protobuf messages of its images, and nothing
 * that could be derived from them. dump fills it and image_write() saves it;
 * image_read() loads it, checks that every reference in it resolves, and
 * restore walks it. All memory belongs to the arena.
 */
#ifndef CRIU_IMAGE_MODEL_H
#define CRIU_IMAGE_MODEL_H

#include <stdbool.h>

#include "images/core.pb-c.h"
#include "images/fdinfo.pb-c.h"
#include "images/file-lock.pb-c.h"
#include "images/fs.pb-c.h"
#include "images/ghost-file.pb-c.h"
#include "images/inventory.pb-c.h"
#include "images/memfd.pb-c.h"
#include "images/mm.pb-c.h"
#include "images/pipe-data.pb-c.h"
#include "images/pstree.pb-c.h"
#include "images/remap-file-path.pb-c.h"
#include "images/seccomp.pb-c.h"
#include "images/carried-dir.pb-c.h"
#include "images/carried-file.pb-c.h"
#include "images/shmem-file.pb-c.h"
#include "images/sk-packet.pb-c.h"
#include "images/external-object.pb-c.h"
#include "images/sysv-msg.pb-c.h"
#include "images/sysv-sem.pb-c.h"
#include "images/sysv-shm.pb-c.h"
#include "images/tty.pb-c.h"
#include "util/hash.h"
#include "util/mem.h"

/* task_core_entry.task_state, as in the images */
enum task_image_state {
	TASK_STATE_ALIVE = 1,
	TASK_STATE_DEAD = 2,	/* zombie; exit_code holds the wait status */
	TASK_STATE_STOPPED = 3, /* group-stopped; stop_signo says by what */
};

/* file_lock_entry.flag: what kind of lock */
enum file_lock_image_kind {
	FILE_LOCK_POSIX = 1,
	FILE_LOCK_FLOCK = 2,
	FILE_LOCK_OFD = 4,
	FILE_LOCK_LEASE = 8,
};

/* In file_lock_entry.type, with F_RDLCK or F_UNLCK: a lease that has to become that soon, for somebody waits */
#define FILE_LOCK_BREAKING 4

/* One process. core[0] is the leader's, the others follow pstree->threads. */
struct task_image {
	PstreeEntry *pstree;
	TaskKobjIdsEntry *ids; /* NULL for a zombie */
	CoreEntry **core;
	size_t n_core;
	MmEntry *mm; /* NULL for a zombie, and for a task that shares its parent's (vm_id) */
	FsEntry *fs; /* NULL for a zombie */
};

/* One descriptor table; several tasks may name it by ids->files_id. */
struct fdtable_image {
	uint32_t files_id;
	FdinfoEntry **fds;
	size_t n_fds;
};

/* Content of a pipe or fifo: the entry and the bytes that follow it. */
struct pipe_data_image {
	PipeDataEntry *entry;
	void *bytes;
	bool fifo; /* lives in fifo-data.img */
};

/* A message queued at a socket: the entry and the bytes that follow it. In the order of the queue. */
struct sk_packet_image {
	SkPacketEntry *entry;
	void *bytes;
};

/* What a TCP connection has on its way: the entry and the bytes of both queues that follow it. */
struct tcp_stream_image {
	uint32_t ino; /* of the socket */
	TcpStreamEntry *entry;
	void *inq, *outq;
};

/* A deleted file that nobody maps shared; content is read from the image when made. */
struct ghost_image {
	uint32_t id;
	GhostFileEntry *entry;
};

/* A deleted file that is shared memory; its pages are pagemap-shmem-<id>. */
struct shmem_file_image {
	uint32_t id;
	ShmemFileEntry *entry;
};

struct model {
	struct arena *arena;
	InventoryEntry *inventory;
	VEC(struct task_image) tasks; /* pre-order, root first */
	VEC(struct fdtable_image) fdtables;
	VEC(FileEntry *) files; /* one per open file description, mapped file, exe, cwd, root */
	VEC(RemapFilePathEntry *) remaps;
	VEC(MemfdInodeEntry *) memfds;
	VEC(ExternalObjectEntry *) external_objects;
	VEC(CarriedFileEntry *) carried_files;
	VEC(CarriedDirEntry *) carried_dirs;
	VEC(struct shmem_file_image) shmem_files;
	VEC(SysvShmEntry *) sysv_shms;
	VEC(SysvSemEntry *) sysv_sems;
	VEC(SysvMsgEntry *) sysv_msgs;
	VEC(MqueueEntry *) mqueues;
	VEC(MqueueDataEntry *) mqueue_data; /* read only: a dump takes it at its commit */
	VEC(struct ghost_image) ghosts;
	VEC(struct pipe_data_image) pipe_data;
	VEC(struct sk_packet_image) sk_packets;
	VEC(struct tcp_stream_image) tcp_streams;
	VEC(TtyInfoEntry *) ttys;
	VEC(TtyDataEntry *) tty_data; /* read only: a dump takes it at its commit */
	VEC(FileLockEntry *) file_locks;
	SeccompEntry *seccomp;

	/* Look-up beside the messages, kept by the functions below. */
	struct hash files_by_id;
	struct hash tasks_by_pid;
};

void model_init(struct model *model);
void model_free(struct model *model);

/** model_add_task - append a zeroed task; the pointer is stable only once all tasks are there. */
struct task_image *model_add_task(struct model *model);

/** model_add_file - append a new entry with the next free id (ids start at 1). */
FileEntry *model_add_file(struct model *model, FdTypes type);

/** model_index - (re)build the look-up tables; -EINVAL on duplicate ids or pids. */
int must_check model_index(struct model *model);

FileEntry *model_file(const struct model *model, uint32_t id);		/* or NULL */
struct task_image *model_task(const struct model *model, uint32_t pid); /* or NULL */
uint32_t fdtable_file(const struct fdtable_image *table, uint32_t fd);	/* its id, or 0 */
bool fdtable_has_file(const struct fdtable_image *table, uint32_t id);
struct fdtable_image *model_fdtable(const struct model *model, uint32_t files_id); /* or NULL */
SysvShmEntry *model_sysv_shm(const struct model *model, uint64_t shmid);	   /* or NULL */
MqueueEntry *model_mqueue(const struct model *model, uint32_t id);		   /* or NULL */

/* Allocate a protobuf message in the model's arena and run its init function. */
#define model_new(model, Type, init)                                                                                   \
	({                                                                                                             \
		Type *msg_ = arena_new_of((model)->arena, Type);                                                       \
		init(msg_);                                                                                            \
		msg_;                                                                                                  \
	})

#endif
