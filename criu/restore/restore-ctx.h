/* What the steps of one restore share. */
#ifndef CRIU_RESTORE_CTX_H
#define CRIU_RESTORE_CTX_H

#include "files/files.h"
#include "ipc/msgqueue.h"
#include "ipc/semset.h"
#include "mem/carried.h"
#include "mem/guard.h"
#include "mem/mm-restore.h"
#include "remote/courier.h"
#include "restore/tree-plan.h"

struct restore {
	const struct options *options;
	const struct kernel_features *features;
	struct image_dir *dir;
	int work_fd;
	struct guard *guard;
	struct model model;
	struct carried_files *carried;
	struct shmem_restore *shmem;
	struct semsets_restore *semsets;
	struct remap_restore *remaps;
	struct files_restore files;
	struct courier courier;
	struct tree_plan plan;
	struct mm_image *mm; /* one per task of the model, in its order */
	struct remote_addr scratch, side;
	size_t max_threads;
	struct pages_stats pages;
	uint64_t forking_us, restore_us;
};

/** tree_build - carry out the plan: every process exists, with its memory, session and group. */
int must_check tree_build(struct restore *restore);

/** tree_kill - end and reap every puppet made so far. */
void tree_kill(struct restore *restore);

/**
 * tasks_restore - descriptors, threads, attributes of every process; zombies end
 * tasks_lock    - file locks; they stay only as long as their holder closes no descriptor of the file
 * tasks_settle  - what must come last, and the registers; after this only letting go is left
 * tasks_adjust  - what the death of a task does to semaphores (SEM_UNDO): so late, since from here on it does so
 * tasks_release - the commit point, then every task runs
 */
int must_check tasks_restore(struct restore *restore);
int must_check tasks_lock(struct restore *restore);
int must_check tasks_settle(struct restore *restore);
int must_check tasks_adjust(struct restore *restore);
int must_check tasks_release(struct restore *restore);

/** tasks_unadjust - after an error of the last two: the puppets are going to be killed, which has to change nothing */
void tasks_unadjust(struct restore *restore);

/** zombies_end - every zombie-to-be gets its name and credentials and exits; its parent is not told. */
int must_check zombies_end(struct restore *restore);

/** node_task_ctx - what the attributes of thread @index of @node work on. */
struct task_ctx;
void node_task_ctx(struct restore *restore, const struct tree_node *node, size_t index, struct task_ctx *ret);

#endif
