/* POSIX message queues: their identity, what waits in them, and who is told of it. */
#ifndef CRIU_FILES_MQUEUE_H
#define CRIU_FILES_MQUEUE_H

#include "files/files.h"
#include "mem/guard.h"

struct files_dump_state;
struct mq_attr;

/* What the kernel says of a registration, read(2). */
struct mqueue_told {
	int kind; /* SIGEV_... */
	int signo;
	pid_t pid; /* 0: there is none */
};

/** mqueue_read_told - @fd: open for reading; the text of read(2) is parsed by mqueue_parse_told(): false if it is none */
int must_check mqueue_read_told(int fd, struct mqueue_told *ret);
bool mqueue_parse_told(const char *text, struct mqueue_told *ret);

/* --- dump ------------------------------------------------------------------ */

/** mqueue_plan_told - a registration with the queue that @desc is of, open for reading as @fd, into its entry; or refuse it. */
int must_check mqueue_plan_told(struct files_dump *ctx, const struct file_desc *desc, int fd, MqueueEntry *queue);

/** mqueue_resolve_told - a descriptor through which it is made again, when all tables are known. */
void mqueue_resolve_told(struct files_dump *ctx, const struct file_desc *desc, MqueueEntry *queue);

/** mqueues_check_told - when the tasks' handlers are known: refuse if somebody gets to see a value that can't be had. */
void mqueues_check_told(struct files_dump *ctx);

/* Of one unlinked queue; in memory that is shared with the guard. */
struct mqueue_note {
	uint32_t queue_id;
	uint32_t msgsize;
};

struct mqueue_taken;

struct mqueue_notes {
	struct mqueue_taken *taken; /* the guard's own */
	struct mqueue_note of[];
};

/** mqueue_take_all, mqueue_give_all_back - see struct guard_takings; @notes: struct mqueue_notes, @fds: in its order */
int must_check mqueue_take_all(int dir_fd, const int *fds, size_t n, void *notes);
void mqueue_give_all_back(const int *fds, size_t n, void *notes);

/** mqueues_takings - unlinked queues; @notes: @bytes of the guard's; @ret: valid until files_dump_free() */
void mqueues_takings(struct files_dump *ctx, void *notes, size_t bytes, struct guard_takings *ret);

/** mqueue_dump_free - what is kept for the commit. */
void mqueue_dump_free(struct files_dump_state *state);

/* --- restore --------------------------------------------------------------- */

/** mqueues_check - can every queue of @model be had? Nothing is changed. Logged -EEXIST or -ENOENT if one can't. */
int must_check mqueues_check(const struct model *model);

/** mqueue_open_name - mq_open(2), whose @name has no slash in front; close-on-exec; -errno, not logged. */
int must_check mqueue_open_name(const char *name, int flags, mode_t mode, struct mq_attr *attr);

/**
 * mqueue_open - the queue, made if need be: a descriptor for reading and writing, owned; logged -errno
 * Calls mqueue_open_files() while it has its name.
 */
int must_check mqueue_open(struct files_restore *ctx, const MqueueEntry *queue);

/**
 * mqueue_open_files - open it once for each of its descriptions in the images
 * They are state->mqueues, by the numbers of queue and file.
 */
int must_check mqueue_open_files(struct files_restore *ctx, const MqueueEntry *queue, const char *name);

#define MQUEUE_ITSELF (1UL << 32) /* in the place of the number of a file: a descriptor of ours */

/** mqueues_notify - register @process, which has all of its descriptors and closes none any more, with its queues. */
int must_check mqueues_notify(struct files_restore *ctx, struct remote_process *process);

#endif
