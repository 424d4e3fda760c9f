#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "files/tty.h"
#include "kernel/syscalls.h"
#include "remote/call.h"
#include "remote/puppet.h"
#include "restore/restore-ctx.h"
#include "util/log.h"

static const struct mm_image *mm_of(const struct restore *restore, const struct task_image *task)
{
	return &restore->mm[task - restore->model.tasks.data];
}

/* --- memory ------------------------------------------------------------------------- */

static int map_fd(void *arg, const VmaEntry *vma)
{
	struct restore *restore = arg;

	return files_map_fd(&restore->files, vma);
}

/* The exe link is inherited: set it only where it differs. */
static int exe_fd(struct restore *restore, const struct tree_node *node)
{
	if (node->mm && node->mm->task->mm->exe_file_id == node->task->mm->exe_file_id)
		return -1;
	return files_path_fd(&restore->files, node->task->mm->exe_file_id);
}

static uint64_t vdso_code(const struct vdso_layout *layout)
{
	for (size_t i = 0; i < layout->n_parts; i++)
		if (layout->parts[i].code)
			return layout->parts[i].start;
	return 0;
}

static int build_memory(struct restore *restore, struct tree_node *node)
{
	uint64_t code_before = vdso_code(&node->vdso);
	int err, exe = exe_fd(restore, node);

	if (exe < 0 && exe != -1)
		return exe;
	err = mm_restore(&(struct mm_restore_args){
		.process = node->process,
		.courier = &restore->courier,
		.image = mm_of(restore, node->task),
		.inherited = node->mm,
		.shmem = restore->shmem,
		.vdso = &node->vdso,
		.side = restore->side,
		.exe_fd = exe,
		.map_fd = map_fd,
		.map_fd_arg = restore,
		.stats = &restore->pages,
	});
	node->process->syscall_insn.v += vdso_code(&node->vdso) - code_before;
	node->mm = mm_of(restore, node->task);
	return err;
}

/* --- birth ------------------------------------------------------------------------------ */

static int clear_descriptors(struct restore *restore, struct remote_process *process)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int err = batch_new(process->driver, &batch);

	if (!err)
		err = courier_clear(&restore->courier, batch);
	return err ? err : batch_run(batch);
}

static int fork_root(struct restore *restore, struct tree_node *node)
{
	const struct puppet_spec spec = {
		.pid = node->pid,
		.clone_flags = restore->options->restore_sibling ? CLONE_PARENT : 0,
		.exit_signo = restore->options->restore_sibling ? 0 : SIGCHLD,
	};
	int err;

	err = puppet_make_root(&spec, &node->process);
	if (!err)
		err = remote_open_puppet(node->process, restore->scratch, restore->max_threads);
	if (!err)
		err = clear_descriptors(restore, node->process);
	return err ? err : layout_own_vdso(&node->vdso);
}

/* Helpers share all with their creator, to pass it on. */
static uint64_t sharing_flags(const struct tree_node *node)
{
	const struct tree_node *source = tree_node_source(node);
	const TaskKobjIdsEntry *ids = node->task ? node->task->ids : NULL;
	uint64_t flags = 0;

	if (!node->task)
		return CLONE_FILES | CLONE_FS;
	if (!ids || !source->task->ids)
		return 0;
	if (ids->files_id == source->task->ids->files_id)
		flags |= CLONE_FILES;
	if (ids->fs_id == source->task->ids->fs_id)
		flags |= CLONE_FS;
	return flags;
}

/* Nobody is told about a helper's end. */
static int exit_signal(const struct tree_node *node)
{
	const TaskExtraEntry *extra = node->task ? node->task->core[0]->tc->extra : NULL;

	if (!node->task)
		return 0;
	return extra && extra->has_exit_signal ? (int)extra->exit_signal : SIGCHLD;
}

static int fork_child(struct tree_node *node)
{
	const struct puppet_spec spec = {
		.pid = node->pid,
		.clone_flags = sharing_flags(node),
		.exit_signo = exit_signal(node),
	};
	int err = puppet_make_child(node->creator->process, &spec, &node->process);

	node->mm = node->creator->mm;
	node->vdso = node->creator->vdso;
	return err;
}

static int do_fork(struct restore *restore, struct tree_node *node)
{
	int err = node->creator ? fork_child(node) : fork_root(restore, node);

	if (!err && node->task && node->task->mm)
		err = build_memory(restore, node);
	return err;
}

/* --- the other steps --------------------------------------------------------------------- */

static int call(struct tree_node *node, const char *what, long nr, uint64_t arg0, uint64_t arg1)
{
	long ret;
	int err = remote_call(node->process->driver, &ret, nr, arg0, arg1);

	return !err && ret < 0 ? fail(-ret, "cannot %s", what) : err;
}

static int do_exit(struct tree_node *node)
{
	int err = puppet_exit(node->process);

	if (!err)
		err = puppet_reap(node->parent->process, node->pid);
	if (!err) {
		remote_process_free(node->process);
		node->process = NULL;
	}
	return err;
}

/* Nothing of the terminal is sent a signal: its group in front is that of the caller, or none. */
static int use_terminal(struct restore *restore, const struct tree_step *step, const char *what, long request)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int fd = tty_session_fd(&restore->files, step->terminal);
	int err = fd < 0 ? fd : batch_new(step->node->process->driver, &batch);

	if (!err)
		err = batch_room(batch, 3, sizeof(step->pgid));
	if (err)
		return err;
	courier_lend(&restore->courier, batch, fd);
	batch_must(batch, what, SYS_ioctl, 0, request,
		   request == TIOCSPGRP ? batch_data(batch, &step->pgid, sizeof(step->pgid)).v : 0);
	batch_must(batch, "close a terminal", SYS_close, 0);
	return batch_run(batch);
}

static int do_step(struct restore *restore, const struct tree_step *step)
{
	struct tree_node *node = step->node;

	LOG_SCOPE(node->task ? "task" : "helper", node->pid);
	switch (step->action) {
	case TREE_FORK:
		return do_fork(restore, node);
	case TREE_SETSID:
		return call(node, "make it a session leader", SYS_setsid, 0, 0);
	case TREE_SUBREAPER_ON:
		return call(node, "make it a subreaper", SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
	case TREE_SUBREAPER_OFF:
		return call(node, "end its being a subreaper", SYS_prctl, PR_SET_CHILD_SUBREAPER, 0);
	case TREE_SETPGID:
		return call(node, "put it into its process group", SYS_setpgid, 0, step->pgid);
	case TREE_TAKE_TERMINAL:
		return use_terminal(restore, step,
				    step->terminal->type == TTY_TYPE__EXT_TTY
					    ? "take the terminal given with --inherit-fd (if it is another session's, "
					      "give one that is not)"
					    : "take the terminal of its session",
				    TIOCSCTTY);
	case TREE_GIVE_TERMINAL:
		return use_terminal(restore, step, "give up its terminal", TIOCNOTTY);
	case TREE_FOREGROUND:
		return use_terminal(restore, step, "put a group into the foreground", TIOCSPGRP);
	case TREE_EXIT:
		return do_exit(node);
	}
	return -EINVAL;
}

int tree_build(struct restore *restore)
{
	int err = 0;

	for (size_t i = 0; !err && i < restore->plan.steps.n; i++)
		err = do_step(restore, &restore->plan.steps.data[i]);
	return err;
}

void tree_kill(struct restore *restore)
{
	for (size_t i = 0; i < restore->plan.nodes.n; i++) {
		struct remote_process *process = restore->plan.nodes.data[i]->process;

		if (process)
			sys_pidfd_send_signal(process->pidfd, SIGKILL);
	}
	for (size_t i = 0; i < restore->plan.nodes.n; i++) {
		struct tree_node *node = restore->plan.nodes.data[i];

		for (size_t j = node->process ? node->process->n_threads : 0; j-- > 0;)
			while (waitpid(node->process->threads[j].tid, NULL, __WALL) < 0 && errno == EINTR)
				;
	}
}
