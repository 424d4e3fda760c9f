#include <errno.h>
#include <signal.h>
#include <string.h>

#include "checkpoint/confinement.h"
#include "checkpoint/dump-ctx.h"
#include "remote/watch.h"
#include "restore/tree-plan.h"
#include "task/task.h"
#include "util/log.h"

/* --- the tree ---------------------------------------------------------------- */

static void add_in_pre_order(struct dump *dump, const struct remote_process *parent)
{
	for (size_t i = 0; i < dump->tree.n; i++) {
		struct remote_process *process = dump->tree.processes[i];

		if (process->parent != parent)
			continue;
		dump->processes[dump->model.tasks.n] = process;
		model_add_task(&dump->model);
		add_in_pre_order(dump, process);
	}
}

static void fill_pstree(struct dump *dump, size_t index)
{
	const struct remote_process *process = dump->processes[index];
	struct task_image *task = &dump->model.tasks.data[index];
	PstreeEntry *entry = model_new(&dump->model, PstreeEntry, pstree_entry__init);

	entry->pid = process->pid;
	entry->ppid = process->parent ? process->parent->pid : 0;
	entry->pgid = process->stat.pgid;
	entry->sid = process->stat.sid;
	entry->n_threads = process->state == REMOTE_ZOMBIE ? 1 : process->n_threads;
	entry->threads = arena_array(dump->model.arena, uint32_t, entry->n_threads);
	entry->threads[0] = process->pid;
	for (size_t i = 1; i < entry->n_threads; i++)
		entry->threads[i] = process->threads[i].tid;

	task->pstree = entry;
	task->n_core = entry->n_threads;
	task->core = arena_array(dump->model.arena, CoreEntry *, task->n_core);
	for (size_t i = 0; i < task->n_core; i++) {
		task->core[i] = model_new(&dump->model, CoreEntry, core_entry__init);
		task->core[i]->mtype = ARCH_MTYPE;
	}
}

static void check_process(struct dump *dump, const struct remote_process *process)
{
	if (process->status.n_ns_pids > 1 && process->state != REMOTE_ZOMBIE)
		refuse(&dump->refusals,
		       "is in a pid namespace of its own: not supported by this version; run criu inside");
}

static void check_root(struct dump *dump)
{
	const struct remote_process *root = dump->tree.processes[0];

	if (root->stat.sid != root->pid && !dump->options->shell_job)
		refuse(&dump->refusals,
		       "task %d (%s) is not a session leader: it belongs to a terminal's job; dump it with --shell-job "
		       "(-j)",
		       root->pid, root->stat.comm);
}

static int plan_tree(struct dump *dump)
{
	dump->processes = arena_array(dump->model.arena, struct remote_process *, dump->tree.n);
	dump->vmas = arena_array(dump->model.arena, vma_list, dump->tree.n);
	add_in_pre_order(dump, NULL);
	for (size_t i = 0; i < dump->tree.n; i++) {
		LOG_SCOPE("task", dump->processes[i]->pid);
		fill_pstree(dump, i);
		check_process(dump, dump->processes[i]);
	}
	check_root(dump);
	return confinement_plan(&dump->tree, &dump->refusals);
}

/* The session or group of a living task that is not dumped: its number can't be had at restore. */
static void check_outer(struct dump *dump, pid_t id, pid_t root_id, const char *what)
{
	if (id == root_id || model_task(&dump->model, id) || kill(id, 0))
		return;
	refuse(&dump->refusals,
	       "belongs to %s %d of a task outside the tree: dump that one, too, or run it in a session of its own",
	       what, id);
}

/* What restore will do is planned now: a job must not be killed that it could not bring back. */
static int plan_restore(struct dump *dump)
{
	const struct proc_stat *root = &dump->processes[0]->stat;
	struct tree_plan plan = { 0 };
	int err = model_index(&dump->model);

	if (err)
		return err;
	for (size_t i = 0; i < dump->tree.n; i++) {
		const struct remote_process *process = dump->processes[i];

		LOG_SCOPE("task", process->pid);
		check_outer(dump, process->stat.sid, root->sid, "session");
		check_outer(dump, process->stat.pgid, root->pgid, "process group");
	}
	if (!dump->refusals.n && tree_plan_make(&dump->model, dump->options->shell_job, &plan))
		refuse_failed(&dump->refusals);
	tree_plan_free(&plan);
	return 0;
}

/* --- memory and files --------------------------------------------------------- */

static const vma_list *vmas_of_parent(const struct dump *dump, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (dump->processes[i] == dump->processes[index]->parent)
			return &dump->vmas[i];
	return NULL;
}

static int plan_memory(struct dump *dump, size_t index)
{
	struct task_image *task = &dump->model.tasks.data[index];

	int err;

	task->mm = model_new(&dump->model, MmEntry, mm_entry__init);
	err = vma_collect(dump->processes[index], &dump->inodes, &dump->model, task->mm, &dump->vmas[index],
			  &dump->refusals);
	return err
		       ?: aio_plan(dump->processes[index], &dump->vmas[index], vmas_of_parent(dump, index),
				   dump->model.arena, task->mm, &dump->aio_rings, &dump->refusals);
}

static int plan_paths(struct dump *dump, size_t index)
{
	struct remote_process *process = dump->processes[index];
	struct task_image *task = &dump->model.tasks.data[index];
	FsEntry *fs = model_new(&dump->model, FsEntry, fs_entry__init);
	int err;

	task->fs = fs;
	fs->has_umask = true;
	fs->umask = process->status.umask;
	err = files_collect_path(&dump->files, process, "exe", &task->mm->exe_file_id);
	if (!err)
		err = files_collect_path(&dump->files, process, "cwd", &fs->cwd_id);
	if (!err)
		err = files_collect_path(&dump->files, process, "root", &fs->root_id);
	return err;
}

static int plan_descriptors(struct dump *dump, size_t index)
{
	struct remote_process *process = dump->processes[index];
	struct task_image *task = &dump->model.tasks.data[index];
	bool new_files = false;
	int err;

	task->ids = model_new(&dump->model, TaskKobjIdsEntry, task_kobj_ids_entry__init);
	err = ids_of_process(dump->ids, process, task->ids, &new_files, &dump->refusals);
	return err || !new_files ? err : files_collect(&dump->files, process, task->ids->files_id);
}

static int plan_files(struct dump *dump, size_t index)
{
	struct remote_process *process = dump->processes[index];
	int err = plan_paths(dump, index);

	for (size_t i = 0; !err && i < dump->vmas[index].n; i++) {
		struct vma *vma = &dump->vmas[index].data[i];

		if (vma->inode && !(vma->entry->status & (VMA_ANON_SHARED | VMA_AREA_SYSVIPC)))
			err = files_collect_vma(&dump->files, process, vma);
	}
	return err;
}

/* --- attributes ----------------------------------------------------------------- */

static int plan_attributes(struct dump *dump, size_t index)
{
	struct remote_process *process = dump->processes[index];
	struct task_image *task = &dump->model.tasks.data[index];
	int err = 0;

	for (size_t i = 0; !err && i < process->n_threads; i++) {
		struct task_ctx ctx = {
			.thread = &process->threads[i],
			.model = &dump->model,
			.image = task,
			.core = task->core[i],
			.leader = i == 0,
			.features = dump->features,
			.options = dump->options,
		};

		err = task_plan(&ctx, &dump->refusals);
		if (err && i && watch_is_gone(process, ctx.thread->tid))
			err = 0;
	}
	return err;
}

/* One that runs may end while it is looked at. */
static bool ends_meanwhile(struct remote_process *process)
{
	if (!process->parent || !watch_is_gone(process, process->pid))
		return false;
	process->state = REMOTE_ZOMBIE;
	return true;
}

/* Run @step for every live task. */
static int for_each_alive(struct dump *dump, int (*step)(struct dump *dump, size_t index))
{
	int err = 0;

	for (size_t i = 0; !err && i < dump->tree.n; i++) {
		LOG_SCOPE("task", dump->processes[i]->pid);
		if (dump->processes[i]->state != REMOTE_ZOMBIE)
			err = step(dump, i);
		if (err && ends_meanwhile(dump->processes[i]))
			err = 0;
	}
	return err;
}

static int plan_inventory(struct dump *dump)
{
	InventoryEntry *inventory = model_new(&dump->model, InventoryEntry, inventory_entry__init);

	inventory->img_version = 2;
	inventory->has_fdinfo_per_id = inventory->fdinfo_per_id = true;
	inventory->has_ns_per_id = inventory->ns_per_id = true;
	inventory->has_lsmtype = true;
	inventory->lsmtype = LSMTYPE__NO_LSM;
	inventory->root_ids = model_new(&dump->model, TaskKobjIdsEntry, task_kobj_ids_entry__init);
	dump->model.inventory = inventory;
	return ids_of_self(dump->ids, inventory->root_ids);
}

int plan_dump(struct dump *dump)
{
	int err;

	dump->files = (struct files_dump){
		.model = &dump->model,
		.options = dump->options,
		.features = dump->features,
		.inodes = &dump->inodes,
		.tree = &dump->tree,
		.refusals = &dump->refusals,
	};
	err = plan_inventory(dump);
	if (!err)
		err = plan_tree(dump);
	/* All mappings before any file: whether a deleted file is shared memory shows only then. */
	if (!err)
		err = for_each_alive(dump, plan_memory);
	/* All descriptors before what is mapped or run, which may be opened to look into: a lease forbids that. */
	if (!err)
		err = for_each_alive(dump, plan_descriptors);
	if (!err)
		err = for_each_alive(dump, plan_files);
	if (!err)
		err = files_resolve(&dump->files);
	if (!err)
		err = shmem_plan(&dump->inodes, &dump->tree, dump->options, &dump->refusals);
	if (!err)
		err = remap_plan(&dump->inodes, &dump->model, dump->options, &dump->refusals);
	if (!err)
		err = for_each_alive(dump, plan_attributes);
	if (!err)
		err = plan_restore(dump);
	return !err && dump->refusals.n ? -EBUSY : err;
}
