#include <sys/shm.h>

#include "image/image-check.h"
#include "kernel/hugepages.h"
#include "util/log.h"

/* Up to where sizes can be rounded to pages, as a file's. */
#define SEGMENT_BYTES_MAX ((uint64_t)INT64_MAX - PAGE_BYTES)

static int check_segments(const struct model *model)
{
	struct hash shmids = { 0 }, ids = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->sysv_shms.n && !err; i++) {
		SysvShmEntry *segment = model->sysv_shms.data[i];
		const IpcShmEntry *shm = segment->shm;

		if (hash_put(&shmids, segment->shmid, 0, segment) || hash_put(&ids, shm->desc->id, 0, segment))
			err = fail(EINVAL, "sysv-shm.img: entry %zu: segment %u (object %llu) is there twice", i,
				   shm->desc->id, (unsigned long long)segment->shmid);
		else if (shm->desc->id > INT32_MAX || !shm->size || shm->size > SEGMENT_BYTES_MAX)
			err = fail(EINVAL, "sysv-shm.img: entry %zu: segment %u of %llu bytes", i, shm->desc->id,
				   (unsigned long long)shm->size);
		else if (shm->hugetlb_flag && !huge_flag_is_valid(shm->hugetlb_flag, SHM_HUGETLB))
			err = fail(EINVAL, "sysv-shm.img: segment %u: huge pages of flags %#x", shm->desc->id,
				   shm->hugetlb_flag);
		else if (!shm->in_pagemaps)
			err = fail(ENOTSUP, "sysv-shm.img: segment %u: content outside of page maps", shm->desc->id);
	}
	hash_free(&shmids);
	hash_free(&ids);
	return err;
}

/* --- semaphore sets ------------------------------------------------------------- */

/* What the kernel knows no more than, semop(2). */
#define SEMVAL_MAX     32767
#define SEM_ADJUST_MIN (-32768)
#define SEM_ADJUST_MAX 32767

/* Of the operation that a process does at last, and of the same semaphore only once. */
static int check_adjust(const struct model *model, const SysvSemEntry *set, const SysvSemAdjustEntry *adjust,
			struct hash *seen)
{
	const struct task_image *task = model_task(model, adjust->pid);

	if (adjust->num >= set->n_values || !adjust->adjust || adjust->adjust < SEM_ADJUST_MIN ||
	    adjust->adjust > SEM_ADJUST_MAX)
		return fail(EINVAL, "sysv-sem.img: set %u: adjustment of semaphore %u by %d", set->sem->desc->id,
			    adjust->num, adjust->adjust);
	if (!task || image_task_is_zombie(task))
		return fail(EINVAL, "sysv-sem.img: set %u: adjustment at the end of %u, which is no task",
			    set->sem->desc->id, adjust->pid);
	if (hash_put(seen, adjust->pid, adjust->num, seen))
		return fail(EINVAL, "sysv-sem.img: set %u: task %u adjusts semaphore %u twice", set->sem->desc->id,
			    adjust->pid, adjust->num);
	return 0;
}

static int check_set(const struct model *model, const SysvSemEntry *set)
{
	const IpcDescEntry *desc = set->sem->desc;
	struct hash seen = { 0 };
	int err = 0;

	if (desc->id > INT32_MAX || !set->sem->nsems || set->sem->nsems > INT32_MAX)
		return fail(EINVAL, "sysv-sem.img: set %u of %u semaphores", desc->id, set->sem->nsems);
	if (set->n_values != set->sem->nsems || set->n_pids != set->sem->nsems)
		return fail(EINVAL, "sysv-sem.img: set %u: %zu values and %zu pids of %u semaphores", desc->id,
			    set->n_values, set->n_pids, set->sem->nsems);
	for (size_t i = 0; i < set->n_values && !err; i++)
		if (set->values[i] > SEMVAL_MAX)
			err = fail(EINVAL, "sysv-sem.img: set %u: semaphore %zu has the value %u", desc->id, i,
				   set->values[i]);
	for (size_t i = 0; i < set->n_adjusts && !err; i++)
		err = check_adjust(model, set, set->adjusts[i], &seen);
	hash_free(&seen);
	return err;
}

static int check_sets(const struct model *model)
{
	struct hash ids = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->sysv_sems.n && !err; i++) {
		err = check_set(model, model->sysv_sems.data[i]);
		if (!err && hash_put(&ids, model->sysv_sems.data[i]->sem->desc->id, 0, &ids))
			err = fail(EINVAL, "sysv-sem.img: set %u is there twice",
				   model->sysv_sems.data[i]->sem->desc->id);
	}
	hash_free(&ids);
	return err;
}

/* --- message queues --------------------------------------------------------------- */

static int check_queue(const SysvMsgEntry *entry)
{
	const IpcMsgEntry *queue = entry->queue;

	if (queue->desc->id > INT32_MAX)
		return fail(EINVAL, "sysv-msg.img: message queue %u", queue->desc->id);
	if (!entry->unsaved && entry->n_messages != queue->qnum)
		return fail(EINVAL, "sysv-msg.img: queue %u: %zu of %u messages", queue->desc->id, entry->n_messages,
			    queue->qnum);
	for (size_t i = 0; i < entry->n_messages; i++) {
		const SysvMessageEntry *message = entry->messages[i];

		if (!message->msg->mtype || message->msg->mtype > INT64_MAX ||
		    message->msg->msize != message->text.len || message->text.len > INT32_MAX)
			return fail(EINVAL, "sysv-msg.img: queue %u: message %zu of type %lld: %u bytes, %zu are there",
				    queue->desc->id, i, (long long)message->msg->mtype, message->msg->msize,
				    message->text.len);
	}
	return 0;
}

static int check_queues(const struct model *model)
{
	struct hash ids = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->sysv_msgs.n && !err; i++) {
		err = check_queue(model->sysv_msgs.data[i]);
		if (!err && hash_put(&ids, model->sysv_msgs.data[i]->queue->desc->id, 0, &ids))
			err = fail(EINVAL, "sysv-msg.img: queue %u is there twice",
				   model->sysv_msgs.data[i]->queue->desc->id);
	}
	hash_free(&ids);
	return err;
}

int image_check_sysv(const struct model *model)
{
	return check_segments(model) ?: check_sets(model) ?: check_queues(model);
}
