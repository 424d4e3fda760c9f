/*
 * Does a model that was read make sense? Every reference resolves, every
 * number is in its range, every list has the length its users count on.
 * Each function logs what is wrong by file and entry and returns -EINVAL, or
 * -ENOTSUP for what mainline can write and we cannot restore.
 */
#ifndef CRIU_IMAGE_IMAGE_CHECK_H
#define CRIU_IMAGE_IMAGE_CHECK_H

#include "image/model.h"

static inline bool image_task_is_zombie(const struct task_image *task)
{
	return task->core[0]->tc->task_state == TASK_STATE_DEAD;
}

int must_check image_check_inventory(const struct model *model);
int must_check image_check_pstree(const struct model *model);

/** image_check_core - cores of one task, before anything else of it is read. */
int must_check image_check_core(const struct task_image *task);

/** image_check_model - everything else, once all of it has been read and indexed. */
int must_check image_check_model(const struct model *model);

/** image_check_mm - one address space; that of @task (image-check-mm.c). */
int must_check image_check_mm(const struct model *model, const struct task_image *task);

/** image_check_files - descriptor tables, file entries and what they lead to (image-check-files.c, -objects.c, -unix.c). */
int must_check image_check_files(const struct model *model);

/** image_check_sysv - System V segments, semaphore sets and message queues (image-check-sysv.c). */
int must_check image_check_sysv(const struct model *model);

/** image_check_mqueues - POSIX message queues and what waits in them (image-check-mqueue.c). */
int must_check image_check_mqueues(const struct model *model);

/** image_check_locks - file locks, once the rest is known to be good (image-check-locks.c). */
int must_check image_check_locks(const struct model *model);

/** image_normalize_remap - give a remap of an old image, whose type is a bit of its id, its type. */
void image_normalize_remap(RemapFilePathEntry *remap);

#endif
