/*
 * The model into its files. A file of an earlier dump that this one has no
 * entries for is removed, because a reader goes by what is there.
 */
#include "image/image-file.h"
#include "util/log.h"

/* One file with the @n messages at @entries; none: no file. */
static int write_list(struct image_dir *dir, enum image_kind kind, uint64_t id, void *const *entries, size_t n)
{
	struct image_writer *writer;
	int err;

	if (!n)
		return image_discard(dir, kind, id);
	err = image_create(dir, kind, id, &writer);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		err = image_write_entry(writer, entries[i]);
		if (err) {
			image_abort(writer);
			return err;
		}
	}
	return image_finish(writer);
}

static int write_one(struct image_dir *dir, enum image_kind kind, uint64_t id, const ProtobufCMessage *entry)
{
	void *entries[] = { (void *)entry };

	return write_list(dir, kind, id, entries, entry ? 1 : 0);
}

/* A vector of pointers to messages, whose first member is their base. */
#define write_vec(dir, kind, vec) write_list(dir, kind, 0, (void *const *)(vec)->data, (vec)->n)

/* Files that mainline does not know are there only when they say something. */
#define write_if_any(dir, kind, vec) ((vec)->n ? write_vec(dir, kind, vec) : image_discard(dir, kind, 0))

#define base_of(msg) ((msg) ? &(msg)->base : NULL)

static int write_pstree(struct image_dir *dir, const struct model *model)
{
	struct image_writer *writer;
	int err;

	err = image_create(dir, IMAGE_PSTREE, 0, &writer);
	if (err)
		return err;
	for (size_t i = 0; i < model->tasks.n; i++) {
		err = image_write_entry(writer, &model->tasks.data[i].pstree->base);
		if (err) {
			image_abort(writer);
			return err;
		}
	}
	return image_finish(writer);
}

static int write_task(struct image_dir *dir, const struct task_image *task)
{
	uint32_t pid = task->pstree->pid;
	int err = 0;

	LOG_SCOPE("task", pid);
	for (size_t i = 0; i < task->n_core && !err; i++)
		err = write_one(dir, IMAGE_CORE, task->pstree->threads[i], &task->core[i]->base);
	err = err ?: write_one(dir, IMAGE_IDS, pid, base_of(task->ids));
	err = err ?: write_one(dir, IMAGE_MM, pid, base_of(task->mm));
	return err ?: write_one(dir, IMAGE_FS, pid, base_of(task->fs));
}

/* A table without descriptors still has its file: a header alone. */
static int write_fdtable(struct image_dir *dir, const struct fdtable_image *table)
{
	struct image_writer *writer;
	int err;

	if (table->n_fds)
		return write_list(dir, IMAGE_FDINFO, table->files_id, (void *const *)table->fds, table->n_fds);
	err = image_create(dir, IMAGE_FDINFO, table->files_id, &writer);
	return err ?: image_finish(writer);
}

static int write_pipe_data(struct image_dir *dir, const struct model *model, bool fifo)
{
	enum image_kind kind = fifo ? IMAGE_FIFO_DATA : IMAGE_PIPES_DATA;
	struct image_writer *writer = NULL;
	int err = 0;

	for (size_t i = 0; i < model->pipe_data.n && !err; i++) {
		const struct pipe_data_image *data = &model->pipe_data.data[i];

		if (data->fifo != fifo)
			continue;
		if (!writer)
			err = image_create(dir, kind, 0, &writer);
		err = err ?: image_write_entry(writer, &data->entry->base);
		err = err ?: image_write_raw(writer, data->bytes, data->entry->bytes);
	}
	if (!writer)
		return err ?: image_discard(dir, kind, 0);
	if (err) {
		image_abort(writer);
		return err;
	}
	return image_finish(writer);
}

static int write_sk_packets(struct image_dir *dir, const struct model *model)
{
	struct image_writer *writer;
	int err;

	if (!model->sk_packets.n)
		return image_discard(dir, IMAGE_SK_QUEUES, 0);
	err = image_create(dir, IMAGE_SK_QUEUES, 0, &writer);
	if (err)
		return err;
	for (size_t i = 0; i < model->sk_packets.n && !err; i++) {
		const struct sk_packet_image *packet = &model->sk_packets.data[i];

		err = image_write_entry(writer, &packet->entry->base);
		err = err ?: image_write_raw(writer, packet->bytes, packet->entry->length);
	}
	if (err) {
		image_abort(writer);
		return err;
	}
	return image_finish(writer);
}

static int write_tcp_stream(struct image_dir *dir, const struct tcp_stream_image *stream)
{
	struct image_writer *writer;
	int err = image_create(dir, IMAGE_TCP_STREAM, stream->ino, &writer);

	if (err)
		return err;
	err = image_write_entry(writer, &stream->entry->base);
	err = err ?: image_write_raw(writer, stream->inq, stream->entry->inq_len);
	err = err ?: image_write_raw(writer, stream->outq, stream->entry->outq_len);
	if (err) {
		image_abort(writer);
		return err;
	}
	return image_finish(writer);
}

int image_write(struct image_dir *dir, const struct model *model)
{
	static const SeccompEntry no_filters = SECCOMP_ENTRY__INIT;
	const SeccompEntry *seccomp = model->seccomp ?: &no_filters;
	int err;

	err = write_pstree(dir, model);
	for (size_t i = 0; i < model->tasks.n && !err; i++)
		err = write_task(dir, &model->tasks.data[i]);
	for (size_t i = 0; i < model->fdtables.n && !err; i++)
		err = write_fdtable(dir, &model->fdtables.data[i]);
	err = err ?: write_vec(dir, IMAGE_FILES, &model->files);
	err = err ?: write_vec(dir, IMAGE_REMAP_FPATH, &model->remaps);
	err = err ?: write_vec(dir, IMAGE_MEMFD, &model->memfds);
	err = err ?: write_vec(dir, IMAGE_SYSV_SHM, &model->sysv_shms);
	err = err ?: write_if_any(dir, IMAGE_SYSV_SEM, &model->sysv_sems);
	err = err ?: write_if_any(dir, IMAGE_SYSV_MSG, &model->sysv_msgs);
	err = err ?: write_if_any(dir, IMAGE_MQUEUE, &model->mqueues);
	err = err ?: write_if_any(dir, IMAGE_MQUEUE_DATA, &model->mqueue_data);
	for (size_t i = 0; i < model->shmem_files.n && !err; i++)
		err = write_one(dir, IMAGE_SHMEM_FILE, model->shmem_files.data[i].id,
				&model->shmem_files.data[i].entry->base);
	err = err ?: write_if_any(dir, IMAGE_EXTERNAL_OBJECT, &model->external_objects);
	err = err ?: write_if_any(dir, IMAGE_CARRIED_FILE, &model->carried_files);
	err = err ?: write_if_any(dir, IMAGE_CARRIED_DIR, &model->carried_dirs);
	err = err ?: write_pipe_data(dir, model, false);
	err = err ?: write_pipe_data(dir, model, true);
	err = err ?: write_sk_packets(dir, model);
	for (size_t i = 0; i < model->tcp_streams.n && !err; i++)
		err = write_tcp_stream(dir, &model->tcp_streams.data[i]);
	err = err ?: write_vec(dir, IMAGE_TTY_INFO, &model->ttys);
	err = err ?: write_vec(dir, IMAGE_TTY_DATA, &model->tty_data);
	err = err ?: write_vec(dir, IMAGE_FILE_LOCKS, &model->file_locks);
	return err ?: write_one(dir, IMAGE_SECCOMP, 0, &seccomp->base);
}
