/* POSIX message queues. */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "image/image-check.h"
#include "util/hash.h"
#include "util/log.h"

#define PRIORITIES 32768
#define SIGNALS	   64

static int check_notify(const struct model *model, const MqueueEntry *queue)
{
	const MqueueNotifyEntry *notify = queue->notify;
	const struct task_image *task = model_task(model, notify->pid);
	const struct fdtable_image *table = task && task->ids ? model_fdtable(model, task->ids->files_id) : NULL;
	const FileEntry *file = table ? model_file(model, fdtable_file(table, notify->fd)) : NULL;

	if (!file || file->type != FD_TYPES__MQUEUE || !file->mqueue || file->mqueue->queue_id != queue->id)
		return fail(EINVAL,
			    "mqueue.img: queue %u: descriptor %u of process %u, which is told of messages, is not it",
			    queue->id, notify->fd, notify->pid);
	if ((notify->kind != SIGEV_SIGNAL && notify->kind != SIGEV_NONE) || notify->signo > SIGNALS)
		return fail(EINVAL, "mqueue.img: queue %u: process %u is told in way %u, by signal %u", queue->id,
			    notify->pid, notify->kind, notify->signo);
	return 0;
}

static int check_queue(const struct model *model, const MqueueEntry *queue)
{
	const size_t len = strlen(queue->name);

	if (!len || len > NAME_MAX || strchr(queue->name, '/') || !strcmp(queue->name, ".") ||
	    !strcmp(queue->name, ".."))
		return fail(EINVAL, "mqueue.img: queue %u: name \"%s\"", queue->id, queue->name);
	if (!queue->maxmsg || queue->maxmsg > INT_MAX || !queue->msgsize || queue->msgsize > INT_MAX ||
	    queue->curmsgs > queue->maxmsg || queue->mode & ~(uint32_t)ALLPERMS)
		return fail(EINVAL, "mqueue.img: queue %u: %u of %u messages of %u bytes, mode %o", queue->id,
			    queue->curmsgs, queue->maxmsg, queue->msgsize, queue->mode);
	return queue->notify ? check_notify(model, queue) : 0;
}

static int check_data(const struct model *model, const MqueueDataEntry *data)
{
	const MqueueEntry *queue = model_mqueue(model, data->queue_id);

	if (!queue || !queue->unlinked || data->n_messages > queue->maxmsg)
		return fail(EINVAL, "mqueue-data.img: %zu messages of queue %u", data->n_messages, data->queue_id);
	for (size_t i = 0; i < data->n_messages; i++)
		if (data->messages[i]->priority >= PRIORITIES || data->messages[i]->text.len > queue->msgsize)
			return fail(EINVAL, "mqueue-data.img: queue %u: message %zu of %zu bytes, priority %u",
				    queue->id, i, data->messages[i]->text.len, data->messages[i]->priority);
	return 0;
}

int image_check_mqueues(const struct model *model)
{
	struct hash ids = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->mqueues.n && !err; i++) {
		err = check_queue(model, model->mqueues.data[i]);
		if (!err && hash_put(&ids, model->mqueues.data[i]->id, 0, &ids))
			err = fail(EINVAL, "mqueue.img: queue %u is there twice", model->mqueues.data[i]->id);
	}
	for (size_t i = 0; i < model->mqueue_data.n && !err; i++) {
		err = check_data(model, model->mqueue_data.data[i]);
		if (!err && hash_put(&ids, model->mqueue_data.data[i]->queue_id, 1, &ids))
			err = fail(EINVAL, "mqueue-data.img: queue %u is there twice",
				   model->mqueue_data.data[i]->queue_id);
	}
	hash_free(&ids);
	return err;
}
