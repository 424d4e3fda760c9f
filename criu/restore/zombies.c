#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "remote/call.h"
#include "remote/puppet.h"
#include "restore/restore-ctx.h"
#include "task/task.h"
#include "util/log.h"

/* The parent must not see the signal of a child that, for it, ended long ago. */
static int swallow_signal(struct tree_node *parent, int signo)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	const uint64_t set = 1ULL << (signo - 1);
	const struct timespec now = { 0 };
	int err = batch_new(parent->process->driver, &batch);

	if (!err)
		err = batch_room(batch, 1, sizeof(set) + sizeof(now) + 32);
	if (err)
		return err;
	batch_add(batch, SYS_rt_sigtimedwait, batch_data(batch, &set, sizeof(set)).v, 0,
		  batch_data(batch, &now, sizeof(now)).v, sizeof(set));
	return batch_run(batch);
}

/* Without an entry of its own a zombie has the credentials of its parent. */
static CredsEntry *zombie_creds(const struct tree_node *node)
{
	const TaskExtraEntry *extra = node->task->core[0]->tc->extra;
	const struct task_image *parent = node->parent->task;

	if (extra && extra->creds)
		return extra->creds;
	return parent->core[0]->thread_core ? parent->core[0]->thread_core->creds : NULL;
}

/* Its signal must kill it, though criu or its caller may ignore that, and leave no core file. */
static int let_die_of(struct tree_node *node, int signo)
{
	static const struct {
		uint64_t handler, flags, restorer, mask;
	} by_default;
	cleanup_with(batch_freep) struct batch *batch = NULL;
	int err = batch_new(node->process->driver, &batch);

	if (!err)
		err = batch_room(batch, 2, sizeof(by_default) + 16);
	if (err)
		return err;
	batch_must(batch, "make it undumpable", SYS_prctl, PR_SET_DUMPABLE, 0);
	if (signo != SIGKILL)
		batch_must(batch, "stop ignoring a signal", SYS_rt_sigaction, signo,
			   batch_data(batch, &by_default, sizeof(by_default)).v, 0, sizeof(by_default.mask));
	return batch_run(batch);
}

static int end_zombie(struct restore *restore, struct tree_node *node)
{
	const TaskCoreEntry *tc = node->task->core[0]->tc;
	int signo = tc->extra && tc->extra->has_exit_signal ? (int)tc->extra->exit_signal : SIGCHLD;
	struct task_ctx ctx;
	int err;

	node_task_ctx(restore, node, 0, &ctx);
	err = task_restore_zombie(&ctx, zombie_creds(node));
	if (!err && WIFSIGNALED(tc->exit_code))
		err = let_die_of(node, WTERMSIG(tc->exit_code));
	if (!err)
		err = puppet_exit_with(node->process, tc->exit_code);
	if (!err && signo)
		err = swallow_signal(node->parent, signo);
	if (err)
		return err;
	remote_process_free(node->process);
	node->process = NULL;
	return 0;
}

int zombies_end(struct restore *restore)
{
	int err = 0;

	for (size_t i = 1; !err && i < restore->model.tasks.n; i++) {
		struct tree_node *node = restore->plan.nodes.data[i];

		LOG_SCOPE("task", node->pid);
		if (!node->task->mm)
			err = end_zombie(restore, node);
	}
	return err;
}
