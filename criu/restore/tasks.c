#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "image/stats.h"
#include "kernel/syscalls.h"
#include "remote/call.h"
#include "remote/ptrace.h"
#include "remote/puppet.h"
#include "restore/restore-ctx.h"
#include "task/task.h"
#include "util/log.h"

static bool is_alive(const struct tree_node *node)
{
	return node->task && node->process && node->task->mm;
}

void node_task_ctx(struct restore *restore, const struct tree_node *node, size_t index, struct task_ctx *ret)
{
	*ret = (struct task_ctx){
		.thread = &node->process->threads[index],
		.model = &restore->model,
		.image = &restore->model.tasks.data[node->task - restore->model.tasks.data],
		.core = node->task->core[index],
		.leader = index == 0,
		.features = restore->features,
		.options = restore->options,
	};
}

static int for_each_alive(struct restore *restore, int (*step)(struct restore *restore, struct tree_node *node))
{
	int err = 0;

	for (size_t i = 0; !err && i < restore->model.tasks.n; i++) {
		struct tree_node *node = restore->plan.nodes.data[i];

		LOG_SCOPE("task", node->pid);
		if (is_alive(node))
			err = step(restore, node);
	}
	return err;
}

static int for_all_threads(struct restore *restore, struct tree_node *node, int (*step)(struct task_ctx *, size_t))
{
	size_t n = node->process->n_threads;
	struct task_ctx *ctxs = xalloc(n * sizeof(*ctxs));
	int err;

	for (size_t i = 0; i < n; i++)
		node_task_ctx(restore, node, i, &ctxs[i]);
	err = step(ctxs, n);
	free(ctxs);
	return err;
}

/* --- directories and descriptors ------------------------------------------------------ */

static bool is_real_root(const struct restore *restore, uint32_t file_id)
{
	const FileEntry *file = model_file(&restore->model, file_id);

	return file && file->reg && !strcmp(file->reg->name, "/");
}

/* While the table is empty a lent descriptor is number 0. */
static int queue_chdir(struct restore *restore, struct batch *batch, uint32_t file_id, bool chroot)
{
	int fd = files_path_fd(&restore->files, file_id);
	int err = fd < 0 ? fd : batch_room(batch, 4, 16);

	if (err)
		return err;
	courier_lend(&restore->courier, batch, fd);
	batch_must(batch, "enter its directory", SYS_fchdir, 0);
	if (chroot)
		batch_must(batch, "change its root", SYS_chroot, batch_data(batch, ".", 2).v);
	batch_must(batch, "close a directory", SYS_close, 0);
	return 0;
}

static int restore_fs(struct restore *restore, struct tree_node *node)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	const FsEntry *fs = node->task->fs;
	int err = batch_new(node->process->driver, &batch);

	if (!err && !is_real_root(restore, fs->root_id))
		err = queue_chdir(restore, batch, fs->root_id, true);
	if (!err)
		err = queue_chdir(restore, batch, fs->cwd_id, false);
	if (!err && fs->has_umask)
		err = task_restore_umask(fs, batch);
	return err ? err : batch_run(batch);
}

/* A table that several tasks share is filled through the first of them. */
static bool owns_table(const struct restore *restore, const struct tree_node *node)
{
	for (size_t i = 0; i < restore->model.tasks.n; i++) {
		const struct tree_node *other = restore->plan.nodes.data[i];

		if (is_alive(other) && other->task->ids->files_id == node->task->ids->files_id)
			return other == node;
	}
	return true;
}

static int restore_descriptors(struct restore *restore, struct tree_node *node)
{
	courier_items items = { 0 };
	int err;

	if (!owns_table(restore, node))
		return 0;
	err = files_table(&restore->files, node->task->ids->files_id, &items);
	if (!err)
		err = courier_install(&restore->courier, node->process, items.data, items.n);
	VEC_FREE(&items);
	return err;
}

static int restore_threads(struct tree_node *node)
{
	const PstreeEntry *pstree = node->task->pstree;
	pid_t *tids = xalloc(pstree->n_threads * sizeof(*tids));
	int err;

	for (size_t i = 1; i < pstree->n_threads; i++)
		tids[i - 1] = pstree->threads[i];
	err = puppet_make_threads(node->process, tids, pstree->n_threads - 1);
	free(tids);
	return err;
}

/* --- zombies ---------------------------------------------------------------------------- */

/* The parent must not see the SIGCHLD of a child that, for it, ended long ago. */
static int swallow_sigchld(struct tree_node *parent)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	const uint64_t sigchld = 1ULL << (SIGCHLD - 1);
	const struct timespec now = { 0 };
	int err = batch_new(parent->process->driver, &batch);

	if (!err)
		err = batch_room(batch, 1, sizeof(sigchld) + sizeof(now) + 32);
	if (err)
		return err;
	batch_add(batch, SYS_rt_sigtimedwait, batch_data(batch, &sigchld, sizeof(sigchld)).v, 0,
		  batch_data(batch, &now, sizeof(now)).v, sizeof(sigchld));
	return batch_run(batch);
}

static int name_zombie(struct tree_node *node)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	char name[16] = { 0 };
	int err = batch_new(node->process->driver, &batch);

	snprintf(name, sizeof(name), "%s", node->task->core[0]->tc->comm);
	if (!err)
		err = batch_room(batch, 1, sizeof(name));
	if (err)
		return err;
	batch_must(batch, "set its name", SYS_prctl, PR_SET_NAME, batch_data(batch, name, sizeof(name)).v);
	return batch_run(batch);
}

static int end_zombies(struct restore *restore)
{
	int err = 0;

	for (size_t i = 1; !err && i < restore->model.tasks.n; i++) {
		struct tree_node *node = restore->plan.nodes.data[i];

		LOG_SCOPE("task", node->pid);
		if (node->task->mm)
			continue;
		err = name_zombie(node);
		if (!err)
			err = puppet_exit_with(node->process, node->task->core[0]->tc->exit_code);
		if (!err)
			err = swallow_sigchld(node->parent);
		if (!err) {
			remote_process_free(node->process);
			node->process = NULL;
		}
	}
	return err;
}

/* --- restore, settle, release -------------------------------------------------------------- */

static int restore_attributes(struct restore *restore, struct tree_node *node)
{
	int err = restore_threads(node);

	return err ? err : for_all_threads(restore, node, task_restore);
}

int tasks_restore(struct restore *restore)
{
	int err = end_zombies(restore);

	/* Directories use descriptors for a moment: before any table, which tasks may share, is filled. */
	if (!err)
		err = for_each_alive(restore, restore_fs);
	if (!err)
		err = for_each_alive(restore, restore_descriptors);
	return err ? err : for_each_alive(restore, restore_attributes);
}

static int load_registers(struct restore *restore, struct tree_node *node)
{
	int err = 0;

	for (size_t i = 0; !err && i < node->process->n_threads; i++) {
		const CoreEntry *core = node->task->core[i];
		pid_t tid = node->process->threads[i].tid;
		struct user_regs_struct regs;
		struct arch_xstate xstate;

		err = arch_core_restore(core, &regs, &xstate);
		if (!err)
			err = ptrace_set_xstate(tid, &xstate);
		if (!err)
			err = ptrace_set_regs(tid, &regs);
		if (!err)
			err = ptrace_set_sigmask(tid, core->thread_core->has_blk_sigset ? core->thread_core->blk_sigset
											: core->tc->blk_sigset);
	}
	return err;
}

static int settle_one(struct restore *restore, struct tree_node *node)
{
	int err = mm_settle(node->process, node->task->mm);

	if (!err)
		err = for_all_threads(restore, node, task_settle);
	if (!err && owns_table(restore, node))
		err = courier_close(&restore->courier, node->process);
	if (!err)
		err = remote_close(node->process);
	return err ? err : load_registers(restore, node);
}

int tasks_settle(struct restore *restore)
{
	return for_each_alive(restore, settle_one);
}

static void let_go(struct restore *restore, struct tree_node *node)
{
	bool stop = restore->options->final_state == FINAL_STOPPED ||
		    node->task->core[0]->tc->task_state == TASK_STATE_STOPPED;

	if (stop)
		sys_pidfd_send_signal(node->process->pidfd, SIGSTOP);
	for (size_t i = 0; i < node->process->n_threads; i++)
		ptrace_request(PTRACE_DETACH, node->process->threads[i].tid, 0, 0);
}

int tasks_release(struct restore *restore)
{
	int err = 0;

	for (size_t i = 0; !err && i < restore->model.tasks.n; i++)
		if (is_alive(restore->plan.nodes.data[i]))
			err = puppet_commit(restore->plan.nodes.data[i]->process);
	for (size_t i = 0; !err && i < restore->model.tasks.n; i++)
		if (is_alive(restore->plan.nodes.data[i]))
			let_go(restore, restore->plan.nodes.data[i]);
	return err;
}
