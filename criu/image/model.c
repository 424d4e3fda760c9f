#include <string.h>

#include "image/model.h"
#include "util/log.h"

void model_init(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->arena = arena_new();
}

void model_free(struct model *model)
{
	VEC_FREE(&model->tasks);
	VEC_FREE(&model->fdtables);
	VEC_FREE(&model->files);
	VEC_FREE(&model->remaps);
	VEC_FREE(&model->memfds);
	VEC_FREE(&model->external_objects);
	VEC_FREE(&model->carried_files);
	VEC_FREE(&model->carried_dirs);
	VEC_FREE(&model->shmem_files);
	VEC_FREE(&model->sysv_shms);
	VEC_FREE(&model->sysv_sems);
	VEC_FREE(&model->sysv_msgs);
	VEC_FREE(&model->mqueues);
	VEC_FREE(&model->mqueue_data);
	VEC_FREE(&model->ghosts);
	VEC_FREE(&model->pipe_data);
	VEC_FREE(&model->sk_packets);
	VEC_FREE(&model->tcp_streams);
	VEC_FREE(&model->ttys);
	VEC_FREE(&model->tty_data);
	VEC_FREE(&model->file_locks);
	hash_free(&model->files_by_id);
	hash_free(&model->tasks_by_pid);
	if (model->arena)
		arena_free(model->arena);
	memset(model, 0, sizeof(*model));
}

struct task_image *model_add_task(struct model *model)
{
	return VEC_ADD(&model->tasks);
}

FileEntry *model_add_file(struct model *model, FdTypes type)
{
	FileEntry *file = model_new(model, FileEntry, file_entry__init);

	VEC_PUSH(&model->files, file);
	file->type = type;
	file->id = model->files.n;
	hash_put(&model->files_by_id, file->id, 0, file);
	return file;
}

static int index_files(struct model *model)
{
	hash_free(&model->files_by_id);
	for (size_t i = 0; i < model->files.n; i++) {
		FileEntry *file = model->files.data[i];

		if (hash_put(&model->files_by_id, file->id, 0, file))
			return fail(EINVAL, "files.img: entry %zu: file id %u is there twice", i, file->id);
	}
	return 0;
}

static int index_tasks(struct model *model)
{
	hash_free(&model->tasks_by_pid);
	for (size_t i = 0; i < model->tasks.n; i++) {
		struct task_image *task = &model->tasks.data[i];

		if (hash_put(&model->tasks_by_pid, task->pstree->pid, 0, task))
			return fail(EINVAL, "pstree.img: entry %zu: pid %u is there twice", i, task->pstree->pid);
	}
	return 0;
}

int model_index(struct model *model)
{
	return index_files(model) ?: index_tasks(model);
}

FileEntry *model_file(const struct model *model, uint32_t id)
{
	return hash_get(&model->files_by_id, id, 0);
}

struct task_image *model_task(const struct model *model, uint32_t pid)
{
	return hash_get(&model->tasks_by_pid, pid, 0);
}

/* Few tables exist beside the tasks that share them, and each look-up is once a task: no hash. */
struct fdtable_image *model_fdtable(const struct model *model, uint32_t files_id)
{
	for (size_t i = 0; i < model->fdtables.n; i++)
		if (model->fdtables.data[i].files_id == files_id)
			return &model->fdtables.data[i];
	return NULL;
}

SysvShmEntry *model_sysv_shm(const struct model *model, uint64_t shmid)
{
	for (size_t i = 0; i < model->sysv_shms.n; i++)
		if (model->sysv_shms.data[i]->shmid == shmid)
			return model->sysv_shms.data[i];
	return NULL;
}

MqueueEntry *model_mqueue(const struct model *model, uint32_t id)
{
	for (size_t i = 0; i < model->mqueues.n; i++)
		if (model->mqueues.data[i]->id == id)
			return model->mqueues.data[i];
	return NULL;
}

uint32_t fdtable_file(const struct fdtable_image *table, uint32_t fd)
{
	for (size_t i = 0; i < table->n_fds; i++)
		if (table->fds[i]->fd == fd)
			return table->fds[i]->id;
	return 0;
}

bool fdtable_has_file(const struct fdtable_image *table, uint32_t id)
{
	for (size_t i = 0; i < table->n_fds; i++)
		if (table->fds[i]->id == id)
			return true;
	return false;
}
