/*
 * The directory into a model. Here files become messages; whether the
 * messages make sense together is image-check.c's question.
 */
#include <netinet/in.h>
#include <string.h>

#include "image/image-check.h"
#include "image/image-file.h"
#include "util/log.h"

typedef VEC(void *) entry_list;

/* Every entry of one file; a missing file has none. */
static int read_list(const struct image_dir *dir, enum image_kind kind, uint64_t id,
		     const ProtobufCMessageDescriptor *type, struct arena *arena, entry_list *ret)
{
	struct image_reader *reader;
	void *entry;
	int err;

	err = image_open(dir, kind, id, &reader);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	while ((err = image_read_entry(reader, type, arena, &entry)) > 0)
		VEC_PUSH(ret, entry);
	image_close(reader);
	return err;
}

/* The only entry of one file; *ret is NULL when the file is missing. */
static int read_one(const struct image_dir *dir, enum image_kind kind, uint64_t id,
		    const ProtobufCMessageDescriptor *type, struct arena *arena, void *ret)
{
	entry_list list = { 0 };
	int err = read_list(dir, kind, id, type, arena, &list);

	if (!err && list.n > 1)
		err = fail(EINVAL, "%s: %zu entries of %s (id %llu) where one belongs", dir->path, list.n, type->name,
			   (unsigned long long)id);
	if (!err)
		*(void **)ret = list.n ? list.data[0] : NULL;
	VEC_FREE(&list);
	return err;
}

static int read_needed(const struct image_dir *dir, enum image_kind kind, uint64_t id,
		       const ProtobufCMessageDescriptor *type, struct arena *arena, void *ret)
{
	int err = read_one(dir, kind, id, type, arena, ret);

	if (!err && !*(void **)ret)
		return fail(ENOENT, "%s: the image of %s (id %llu) is missing or empty", dir->path, type->name,
			    (unsigned long long)id);
	return err;
}

#define read_vec(dir, kind, type, model, vec)                                                                          \
	({                                                                                                             \
		entry_list list_ = { 0 };                                                                              \
		int err_ = read_list(dir, kind, 0, type, (model)->arena, &list_);                                      \
                                                                                                                       \
		for (size_t i_ = 0; i_ < list_.n; i_++)                                                                \
			VEC_PUSH(vec, list_.data[i_]);                                                                 \
		VEC_FREE(&list_);                                                                                      \
		err_;                                                                                                  \
	})

static int read_inventory(const struct image_dir *dir, struct model *model)
{
	int err = read_one(dir, IMAGE_INVENTORY, 0, &inventory_entry__descriptor, model->arena, &model->inventory);

	if (!err && !model->inventory)
		return fail(ENOENT, "%s: no inventory.img: not an images directory, or the dump did not finish",
			    dir->path);
	return err ?: image_check_inventory(model);
}

static int read_pstree(const struct image_dir *dir, struct model *model)
{
	entry_list list = { 0 };
	int err = read_list(dir, IMAGE_PSTREE, 0, &pstree_entry__descriptor, model->arena, &list);

	for (size_t i = 0; i < list.n && !err; i++)
		model_add_task(model)->pstree = list.data[i];
	VEC_FREE(&list);
	return err ?: image_check_pstree(model);
}

static int read_task(const struct image_dir *dir, struct model *model, struct task_image *task)
{
	uint32_t pid = task->pstree->pid;
	int err;

	LOG_SCOPE("task", pid);
	task->n_core = task->pstree->n_threads;
	task->core = arena_array(model->arena, CoreEntry *, task->n_core);
	for (size_t i = 0; i < task->n_core; i++) {
		err = read_needed(dir, IMAGE_CORE, task->pstree->threads[i], &core_entry__descriptor, model->arena,
				  &task->core[i]);
		if (err)
			return err;
	}
	err = image_check_core(task);
	if (err || image_task_is_zombie(task))
		return err;

	err = read_one(dir, IMAGE_IDS, pid, &task_kobj_ids_entry__descriptor, model->arena, &task->ids);
	if (err)
		return err;
	if (!task->ids)
		task->ids = task->core[0]->ids;
	if (!task->ids)
		return fail(ENOENT, "ids-%u.img is missing", pid);
	err = read_one(dir, IMAGE_MM, pid, &mm_entry__descriptor, model->arena, &task->mm);
	return err ?: read_needed(dir, IMAGE_FS, pid, &fs_entry__descriptor, model->arena, &task->fs);
}

static int read_fdtables(const struct image_dir *dir, struct model *model)
{
	struct hash seen = { 0 };
	int err = 0;

	for (size_t i = 0; i < model->tasks.n && !err; i++) {
		const struct task_image *task = &model->tasks.data[i];
		struct fdtable_image *table;
		entry_list list = { 0 };

		if (!task->ids || hash_get(&seen, task->ids->files_id, 0))
			continue;
		hash_put(&seen, task->ids->files_id, 0, task->ids);
		err = read_list(dir, IMAGE_FDINFO, task->ids->files_id, &fdinfo_entry__descriptor, model->arena, &list);
		if (!err) {
			table = VEC_ADD(&model->fdtables);
			table->files_id = task->ids->files_id;
			table->fds = arena_memdup(model->arena, list.data, list.n * sizeof(*list.data));
			table->n_fds = list.n;
		}
		VEC_FREE(&list);
	}
	hash_free(&seen);
	return err;
}

static int read_ghost(const struct image_dir *dir, struct model *model, uint32_t id)
{
	struct image_reader *reader;
	struct ghost_image *ghost;
	void *entry;
	int err;

	/* Its content follows the first entry and is read when the file is made. */
	err = image_open(dir, IMAGE_GHOST_FILE, id, &reader);
	if (err == -ENOENT)
		return fail(ENOENT, "remap-fpath.img: ghost-file-%x.img does not exist", id);
	if (err)
		return err;
	err = image_read_entry(reader, &ghost_file_entry__descriptor, model->arena, &entry);
	image_close(reader);
	if (err < 0)
		return err;
	if (err == 0)
		return fail(EINVAL, "ghost-file-%x.img is empty", id);
	ghost = VEC_ADD(&model->ghosts);
	ghost->id = id;
	ghost->entry = entry;
	return 0;
}

static int read_shmem_file(const struct image_dir *dir, struct model *model, uint32_t id)
{
	ShmemFileEntry *entry;
	struct shmem_file_image *file;
	int err;

	err = read_needed(dir, IMAGE_SHMEM_FILE, id, &shmem_file_entry__descriptor, model->arena, &entry);
	if (err)
		return err;
	file = VEC_ADD(&model->shmem_files);
	file->id = id;
	file->entry = entry;
	return 0;
}

static int read_remaps(const struct image_dir *dir, struct model *model)
{
	struct hash seen = { 0 };
	int err;

	err = read_vec(dir, IMAGE_REMAP_FPATH, &remap_file_path_entry__descriptor, model, &model->remaps);
	for (size_t i = 0; i < model->remaps.n && !err; i++) {
		RemapFilePathEntry *remap = model->remaps.data[i];

		image_normalize_remap(remap);
		/* Several names of one object have a remap each. */
		if (hash_put(&seen, remap->remap_id, remap->remap_type, remap))
			continue;
		if (remap->remap_type == REMAP_TYPE__GHOST)
			err = read_ghost(dir, model, remap->remap_id);
		else if (remap->remap_type == REMAP_TYPE__SHMEM)
			err = read_shmem_file(dir, model, remap->remap_id);
	}
	hash_free(&seen);
	return err;
}

static int read_pipe_data(const struct image_dir *dir, struct model *model, bool fifo)
{
	struct image_reader *reader;
	uint64_t offset, left;
	void *entry;
	int err, fd;

	err = image_open(dir, fifo ? IMAGE_FIFO_DATA : IMAGE_PIPES_DATA, 0, &reader);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	while ((err = image_read_entry(reader, &pipe_data_entry__descriptor, model->arena, &entry)) > 0) {
		struct pipe_data_image *data = VEC_ADD(&model->pipe_data);

		data->entry = entry;
		data->fifo = fifo;
		err = image_rest(reader, &fd, &offset, &left);
		if (!err && data->entry->bytes > left)
			err = fail(EINVAL, "%s: pipe %u: truncated: %u bytes wanted, %llu left",
				   fifo ? "fifo-data.img" : "pipes-data.img", data->entry->pipe_id, data->entry->bytes,
				   (unsigned long long)left);
		if (!err) {
			data->bytes = arena_alloc(model->arena, data->entry->bytes);
			err = image_read_raw(reader, data->bytes, data->entry->bytes);
		}
		if (err)
			break;
	}
	image_close(reader);
	return err;
}

static int read_sk_packets(const struct image_dir *dir, struct model *model)
{
	struct image_reader *reader;
	uint64_t offset, left;
	void *entry;
	int fd, err = image_open(dir, IMAGE_SK_QUEUES, 0, &reader);

	if (err)
		return err == -ENOENT ? 0 : err;
	while ((err = image_read_entry(reader, &sk_packet_entry__descriptor, model->arena, &entry)) > 0) {
		struct sk_packet_image *packet = VEC_ADD(&model->sk_packets);

		packet->entry = entry;
		err = image_rest(reader, &fd, &offset, &left);
		if (!err && packet->entry->length > left)
			err = fail(EINVAL, "sk-queues.img: socket %u: truncated: %u bytes wanted, %llu left",
				   packet->entry->id_for, packet->entry->length, (unsigned long long)left);
		if (!err) {
			packet->bytes = arena_alloc(model->arena, packet->entry->length);
			err = image_read_raw(reader, packet->bytes, packet->entry->length);
		}
		if (err)
			break;
	}
	image_close(reader);
	return err;
}

static int read_tcp_bytes(struct image_reader *reader, struct model *model, uint32_t bytes, void **ret)
{
	uint64_t offset, left;
	int fd, err = image_rest(reader, &fd, &offset, &left);

	if (!err && bytes > left)
		err = fail(EINVAL, "tcp-stream: truncated: %u bytes wanted, %llu left", bytes,
			   (unsigned long long)left);
	if (err)
		return err;
	*ret = arena_alloc(model->arena, bytes);
	return image_read_raw(reader, *ret, bytes);
}

/* A connection that was closed by the dump (--tcp-close) has none. */
static int read_tcp_stream(const struct image_dir *dir, struct model *model, uint32_t ino)
{
	struct image_reader *reader;
	struct tcp_stream_image stream = { .ino = ino };
	void *entry;
	int err = image_open(dir, IMAGE_TCP_STREAM, ino, &reader);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = image_read_entry(reader, &tcp_stream_entry__descriptor, model->arena, &entry);
	if (err > 0) {
		stream.entry = entry;
		err = read_tcp_bytes(reader, model, stream.entry->inq_len, &stream.inq);
		err = err ?: read_tcp_bytes(reader, model, stream.entry->outq_len, &stream.outq);
		if (!err)
			VEC_PUSH(&model->tcp_streams, stream);
	}
	image_close(reader);
	return err;
}

static int read_tcp_streams(const struct image_dir *dir, struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->files.n && !err; i++) {
		const InetSkEntry *entry = model->files.data[i]->isk;

		if (entry && entry->proto == IPPROTO_TCP)
			err = read_tcp_stream(dir, model, entry->ino);
	}
	return err;
}

int image_read(struct image_dir *dir, struct model *ret)
{
	int err;

	err = read_inventory(dir, ret);
	err = err ?: read_pstree(dir, ret);
	for (size_t i = 0; i < ret->tasks.n && !err; i++)
		err = read_task(dir, ret, &ret->tasks.data[i]);
	err = err ?: read_fdtables(dir, ret);
	err = err ?: read_vec(dir, IMAGE_FILES, &file_entry__descriptor, ret, &ret->files);
	err = err ?: model_index(ret);
	err = err ?: read_remaps(dir, ret);
	err = err ?: read_vec(dir, IMAGE_MEMFD, &memfd_inode_entry__descriptor, ret, &ret->memfds);
	err = err
		      ?: read_vec(dir, IMAGE_EXTERNAL_OBJECT, &external_object_entry__descriptor, ret,
				  &ret->external_objects);
	err = err ?: read_vec(dir, IMAGE_CARRIED_FILE, &carried_file_entry__descriptor, ret, &ret->carried_files);
	err = err ?: read_vec(dir, IMAGE_CARRIED_DIR, &carried_dir_entry__descriptor, ret, &ret->carried_dirs);
	err = err ?: read_vec(dir, IMAGE_SYSV_SHM, &sysv_shm_entry__descriptor, ret, &ret->sysv_shms);
	err = err ?: read_vec(dir, IMAGE_SYSV_SEM, &sysv_sem_entry__descriptor, ret, &ret->sysv_sems);
	err = err ?: read_vec(dir, IMAGE_SYSV_MSG, &sysv_msg_entry__descriptor, ret, &ret->sysv_msgs);
	err = err ?: read_vec(dir, IMAGE_MQUEUE, &mqueue_entry__descriptor, ret, &ret->mqueues);
	err = err ?: read_vec(dir, IMAGE_MQUEUE_DATA, &mqueue_data_entry__descriptor, ret, &ret->mqueue_data);
	err = err ?: read_pipe_data(dir, ret, false);
	err = err ?: read_pipe_data(dir, ret, true);
	err = err ?: read_sk_packets(dir, ret);
	err = err ?: read_tcp_streams(dir, ret);
	err = err ?: read_vec(dir, IMAGE_TTY_INFO, &tty_info_entry__descriptor, ret, &ret->ttys);
	err = err ?: read_vec(dir, IMAGE_TTY_DATA, &tty_data_entry__descriptor, ret, &ret->tty_data);
	err = err ?: read_vec(dir, IMAGE_FILE_LOCKS, &file_lock_entry__descriptor, ret, &ret->file_locks);
	err = err ?: read_one(dir, IMAGE_SECCOMP, 0, &seccomp_entry__descriptor, ret->arena, &ret->seccomp);
	if (err)
		return err;
	if (!ret->seccomp)
		ret->seccomp = model_new(ret, SeccompEntry, seccomp_entry__init);
	return image_check_model(ret);
}
