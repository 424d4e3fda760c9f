#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "files/locks.h"
#include "files/mqueue.h"
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

/* Parents before children. */
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

/* Some tasks of the tree whose calls overlap: a stop on another processor takes a while to be seen. */
#define TASKS_AT_A_TIME 16

struct group {
	struct restore *restore;
	struct tree_node *nodes[TASKS_AT_A_TIME];
	size_t n;
};

typedef int (*queue_calls)(struct restore *restore, struct tree_node *node, struct batch *batch);

/* One batch in each task. What was started is waited for also after an error. */
static int run_in_group(const struct group *group, queue_calls queue)
{
	struct batch *batches[TASKS_AT_A_TIME] = { NULL };
	int err = 0;

	for (size_t i = 0; !err && i < group->n; i++) {
		LOG_SCOPE("task", group->nodes[i]->pid);
		err = batch_new(group->nodes[i]->process->driver, &batches[i]);
		if (!err)
			err = queue(group->restore, group->nodes[i], batches[i]);
		if (!err)
			err = batch_start(batches[i]);
		if (err)
			batch_freep(&batches[i]);
	}
	for (size_t i = 0; i < group->n; i++) {
		LOG_SCOPE("task", group->nodes[i]->pid);
		int wait_err = batches[i] ? batch_wait(batches[i]) : 0;

		err = err ? err : wait_err;
		batch_freep(&batches[i]);
	}
	return err;
}

/* Queue and run the attributes' calls of all threads of a group. */
static int run_threads(const struct group *group, int (*step)(struct task_ctx *ctxs, size_t n))
{
	VEC(struct task_ctx) ctxs = { 0 };
	int err;

	for (size_t i = 0; i < group->n; i++)
		for (size_t j = 0; j < group->nodes[i]->process->n_threads; j++)
			node_task_ctx(group->restore, group->nodes[i], j, VEC_ADD(&ctxs));
	err = step(ctxs.data, ctxs.n);
	VEC_FREE(&ctxs);
	return err;
}

/* Give the next live tasks to @step, @at_a_time; children before parents if @backwards. */
static int for_each_group(struct restore *restore, size_t at_a_time, bool backwards,
			  int (*step)(const struct group *group))
{
	struct group group = { .restore = restore };
	size_t n_tasks = restore->model.tasks.n;
	int err = 0;

	for (size_t i = 0; !err && i < n_tasks; i++) {
		struct tree_node *node = restore->plan.nodes.data[backwards ? n_tasks - 1 - i : i];

		if (is_alive(node))
			group.nodes[group.n++] = node;
		if (group.n < at_a_time)
			continue;
		err = step(&group);
		group.n = 0;
	}
	return err || !group.n ? err : step(&group);
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

/* Shared directories are set through the first of those that share them. */
static bool owns_fs(const struct restore *restore, const struct tree_node *node)
{
	for (size_t i = 0; i < restore->model.tasks.n; i++) {
		const struct tree_node *other = restore->plan.nodes.data[i];

		if (is_alive(other) && other->task->ids->fs_id == node->task->ids->fs_id)
			return other == node;
	}
	return true;
}

static int queue_fs(struct restore *restore, struct tree_node *node, struct batch *batch)
{
	const FsEntry *fs = node->task->fs;
	int err = 0;

	if (!owns_fs(restore, node))
		return 0;
	if (!is_real_root(restore, fs->root_id))
		err = queue_chdir(restore, batch, fs->root_id, true);
	if (!err)
		err = queue_chdir(restore, batch, fs->cwd_id, false);
	return err || !fs->has_umask ? err : task_restore_umask(fs, batch);
}

static int restore_fs(const struct group *group)
{
	return run_in_group(group, queue_fs);
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
	err = files_attach(&restore->files, node->task->ids->files_id, &restore->courier, node->process);
	if (!err)
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

/* --- restore, settle, release -------------------------------------------------------------- */

static int restore_attributes(const struct group *group)
{
	int err = 0;

	for (size_t i = 0; !err && i < group->n; i++)
		err = restore_threads(group->nodes[i]);
	return err ? err : run_threads(group, task_restore);
}

/* Tasks of one table must not lend at the same time: both would count on its lowest number. */
static bool any_table_shared(const struct restore *restore)
{
	for (size_t i = 0; i < restore->model.tasks.n; i++) {
		const struct tree_node *node = restore->plan.nodes.data[i];

		if (is_alive(node) && !owns_table(restore, node))
			return true;
	}
	return false;
}

int tasks_restore(struct restore *restore)
{
	int err = zombies_end(restore);

	/* Directories use descriptors for a moment: before any table, which tasks may share, is filled. */
	if (!err)
		err = for_each_group(restore, any_table_shared(restore) ? 1 : TASKS_AT_A_TIME, false, restore_fs);
	if (!err)
		err = for_each_alive(restore, restore_descriptors);
	return err ? err : for_each_group(restore, TASKS_AT_A_TIME, false, restore_attributes);
}

static int take_locks(struct restore *restore, struct tree_node *node)
{
	return locks_take(&restore->files, node->process) ?: mqueues_notify(&restore->files, node->process);
}

int tasks_lock(struct restore *restore)
{
	return for_each_alive(restore, take_locks);
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

/* Those of them that a task can be stopped by: it must not have another use for the signal. */
static int stop_signal(const struct tree_node *node, int *ret)
{
	cleanup_with(proc_status_free) struct proc_status status = { 0 };
	int signo = (int)node->task->core[0]->tc->stop_signo;
	bool is_stop = signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;
	int err = proc_read_status(node->pid, 0, &status);

	*ret = is_stop && !((status.sig_caught | status.sig_ignored) & 1UL << (signo - 1)) ? signo : SIGSTOP;
	return err;
}

/* A group with stopped members is hung up by the kernel when its last tie to the session goes, setpgid(2). */
static void warn_of_hangup(const struct options *options, const struct tree_node *node)
{
	if (!node->parent && options->shell_job && options->restore_detached && !options->restore_sibling)
		pr_warn("it is a stopped job and will get SIGHUP when criu ends: restore it without "
			"--restore-detached");
}

/*
 * Because it was, or because --leave-stopped asks for it. Its parent is told now, while it is still a puppet, and
 * what it is told too much is taken away again.
 */
static int stop_again(const struct restore *restore, struct tree_node *node)
{
	const TaskCoreEntry *tc = node->task->core[0]->tc;
	bool was_stopped = tc->task_state == TASK_STATE_STOPPED;
	int err = 0, signo = SIGSTOP;

	if (!was_stopped && restore->options->final_state != FINAL_STOPPED)
		return 0;
	warn_of_hangup(restore->options, node);
	if (was_stopped)
		err = stop_signal(node, &signo);
	if (!err)
		err = puppet_group_stop(node->process, signo);
	if (!err && node->parent && (!was_stopped || (tc->extra && tc->extra->stop_seen)))
		err = puppet_wait_stopped(node->parent->process, node->pid);
	return err;
}

static int queue_courier_close(struct restore *restore, struct tree_node *node, struct batch *batch)
{
	return owns_table(restore, node) ? courier_close(&restore->courier, batch) : 0;
}

static int leave_one(struct restore *restore, struct tree_node *node)
{
	int err = remote_close(node->process);

	if (!err)
		err = stop_again(restore, node);
	return err ? err : load_registers(restore, node);
}

static int settle_group(const struct group *group)
{
	int err = 0;

	for (size_t i = 0; !err && i < group->n; i++) {
		LOG_SCOPE("task", group->nodes[i]->pid);
		err = mm_settle(group->nodes[i]->process, group->nodes[i]->task->mm);
	}
	if (!err)
		err = run_threads(group, task_settle);
	if (!err)
		err = run_in_group(group, queue_courier_close);
	for (size_t i = 0; !err && i < group->n; i++) {
		LOG_SCOPE("task", group->nodes[i]->pid);
		err = leave_one(group->restore, group->nodes[i]);
	}
	return err;
}

static bool any_stopped(const struct restore *restore)
{
	for (size_t i = 0; i < restore->model.tasks.n; i++)
		if (restore->model.tasks.data[i].core[0]->tc->task_state == TASK_STATE_STOPPED)
			return true;
	return false;
}

/*
 * Children before parents: a parent's pending signals are its own only when no
 * child has anything to tell any more, and a child that is to be stopped has.
 */
int tasks_settle(struct restore *restore)
{
	return for_each_group(restore, any_stopped(restore) ? 1 : TASKS_AT_A_TIME, true, settle_group);
}

static int adjust(struct restore *restore, struct tree_node *node,
		  int (*step)(const struct semsets_restore *sets, struct remote_process *process))
{
	int err;

	if (!semsets_concern(restore->semsets, node->pid))
		return 0;
	/* Its pending signals are for later. */
	err = ptrace_set_sigmask(node->process->driver->tid, ~0ULL);
	err = err ?: step(restore->semsets, node->process);
	return err ?: load_registers(restore, node);
}

static int adjust_one(struct restore *restore, struct tree_node *node)
{
	int err = adjust(restore, node, semsets_replay);

	node->adjusted = !err;
	return err;
}

int tasks_adjust(struct restore *restore)
{
	return for_each_alive(restore, adjust_one);
}

static int unadjust_one(struct restore *restore, struct tree_node *node)
{
	if (node->adjusted && adjust(restore, node, semsets_take_back))
		pr_warn("its end changes semaphores that others may wait for (SEM_UNDO)");
	return 0;
}

void tasks_unadjust(struct restore *restore)
{
	int err = for_each_alive(restore, unadjust_one);

	(void)err; /* said already */
}

static void let_go(struct tree_node *node)
{
	for (size_t i = 0; i < node->process->n_threads; i++)
		ptrace_request(PTRACE_DETACH, node->process->threads[i].tid, 0, 0);
}

/*
 * Timeline of the release, and what our death means at each point:
 *
 *  1. every puppet is complete and dies with us: nothing is left
 *  2. the guard kills them should we die: nothing is left
 *  3. one by one they are no longer tied to us: the guard still kills all
 *  4. the guard is told to let them live: detached, every task runs
 *  5. TCP connections come out of repair mode; should we die, the guard does that, too
 *  6. we detach from them ourselves
 */
int tasks_release(struct restore *restore)
{
	int *pidfds = arena_array(restore->model.arena, int, restore->model.tasks.n);
	size_t n = 0;
	int err;

	for (size_t i = 0; i < restore->model.tasks.n; i++)
		if (is_alive(restore->plan.nodes.data[i]))
			pidfds[n++] = restore->plan.nodes.data[i]->process->pidfd;
	err = guard_commit_begin(restore->guard, restore->dir->fd, pidfds, n, NULL, NULL);
	for (size_t i = 0; !err && i < restore->model.tasks.n; i++)
		if (is_alive(restore->plan.nodes.data[i]))
			err = puppet_commit(restore->plan.nodes.data[i]->process);
	if (!err)
		err = guard_commit_cancel(restore->guard);
	if (!err)
		files_release(&restore->files);
	guard_let_go(restore->guard);
	for (size_t i = 0; !err && i < restore->model.tasks.n; i++)
		if (is_alive(restore->plan.nodes.data[i]))
			let_go(restore->plan.nodes.data[i]);
	return err;
}
