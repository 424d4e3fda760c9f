/* What the steps of one dump share. */
#ifndef CRIU_CHECKPOINT_DUMP_CTX_H
#define CRIU_CHECKPOINT_DUMP_CTX_H

#include "arch.h"
#include "checkpoint/ids.h"
#include "files/files.h"
#include "image/image.h"
#include "ipc/msgqueue.h"
#include "ipc/semset.h"
#include "mem/aio.h"
#include "mem/guard.h"
#include "mem/pages.h"
#include "mem/vma.h"
#include "task/landlock.h"
#include "util/refusals.h"

/* Semaphore adjustments that threads share. */
struct semadj_list {
	struct remote_thread *thread; /* the first that has it */
	pid_t also_of;		      /* another process that has it; 0: none */
	size_t adjusts;		      /* that were found in it */
};

/* A robust futex of a task that was killed, in an object that stays with others; checkpoint/robust.h. */
struct left_futex {
	const struct inode *inode;
	uint64_t offset;
};

struct dump {
	const struct options *options;
	const struct kernel_features *features;
	struct image_dir *dir;
	int work_fd;
	unsigned int tries; /* with this one; see retry.h */
	struct guard *guard;
	struct ids *ids;
	struct model model;
	struct remote_tree tree;
	struct inodes inodes;
	struct refusals refusals;
	struct files_dump files;
	struct semsets semsets;
	VEC(struct semadj_list) semadj_lists;
	msgqueue_ids awaited_queues;
	aio_rings aio_rings;
	VEC(struct left_futex) left_futexes;
	struct landlock_probe *landlock;

	/* By position in tree and, one to one, in model.tasks. */
	vma_list *vmas;
	struct remote_process **processes; /* tree in the model's order */

	struct pages_stats pages;
	struct shmem_dump_stats shmem;
	uint64_t freezing_us, frozen_us, memdump_us, memwrite_us;
};

/** dump_init, dump_free - context of one dump, without a guard; dump_free() leaves the tree to its owner. */
void dump_init(struct dump *dump, const struct options *options, const struct kernel_features *features,
	       struct image_dir *dir, int work_fd);
void dump_free(struct dump *dump);

/**
 * plan_dump - decide how everything of the stopped tree will be saved
 * Fills the model with all that can be seen from outside. Touches nothing. A tree that is only watched
 * (remote/watch.h) is planned likewise, without what takes ptrace(2).
 * Return: 0; -EBUSY when something can't be saved (each reason was printed).
 */
int must_check plan_dump(struct dump *dump);

/** dump_tasks - registers and attributes of every thread, through remote calls. */
int must_check dump_tasks(struct dump *dump);

#endif
