#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/syscalls.h"
#include "remote/vfork.h"
#include "remote/seize-process.h"
#include "remote/watch.h"
#include "util/hash.h"
#include "util/log.h"

/* linux/sched.h of the kernel */
#define PF_KTHREAD 0x00200000

struct watching {
	struct remote_tree *tree;
	size_t cap;
	struct refusals *refusals;
	struct hash known; /* by pid */
};

/* A tree whose tasks never stop forking is as good as listed after so many rounds. */
#define ROUNDS_MAX 20

/* --- one process ---------------------------------------------------------------- */

static int read_threads(struct remote_process *process)
{
	pid_list tids = { 0 };
	int err = proc_list_threads(process->pid, &tids);

	if (err || !tids.n)
		return err ? err : -ESRCH;
	process->n_threads = tids.n;
	process->threads = xalloc(tids.n * sizeof(*process->threads));
	for (size_t i = 0; i < tids.n; i++) {
		/* The leader comes first, also where the numbers have wrapped around. */
		if (tids.data[i] == process->pid) {
			memmove(&tids.data[1], &tids.data[0], i * sizeof(*tids.data));
			tids.data[0] = process->pid;
		}
	}
	for (size_t i = 0; i < tids.n; i++) {
		process->threads[i].process = process;
		process->threads[i].tid = tids.data[i];
	}
	VEC_FREE(&tids);
	return 0;
}

static int read_process(struct remote_process *process)
{
	int err = proc_read_stat(process->pid, 0, &process->stat);

	if (err)
		return err;
	process->state = process->stat.state == 'T' ? REMOTE_STOPPED : REMOTE_ALIVE;
	process->pidfd = remote_pidfd(process->pid);
	if (process->pidfd < 0)
		return process->pidfd == -ESRCH ? -ESRCH : fail(-process->pidfd, "cannot open a pidfd");
	err = read_threads(process);
	if (!err && (process->stat.state == 'Z' || process->stat.state == 'X') && process->n_threads == 1)
		process->state = REMOTE_ZOMBIE;
	if (!err)
		err = proc_read_status(process->pid, 0, &process->status);
	return err;
}

static bool is_blocked(const struct remote_thread *thread)
{
	struct proc_stat stat;

	return !proc_read_stat(thread->process->pid, thread->tid, &stat) && stat.state == 'D';
}

/* Most are over at once. */
static bool vfork_lasts(const struct remote_thread *thread)
{
	const unsigned int pause_us = 10000;

	for (unsigned int waited_us = 0; waited_us < VFORK_PATIENCE_US; waited_us += pause_us) {
		if (!is_blocked(thread) || !vfork_waits(thread))
			return false;
		usleep(pause_us);
	}
	return true;
}

/* For a moment it is at each exec of another thread; seizing waits as long. */
static bool main_thread_is_gone(const struct remote_process *process)
{
	struct proc_stat stat = process->stat;

	for (int ms = 0; stat.state == 'Z' && ms < SETTLE_PATIENCE_MS; ms++) {
		usleep(1000);
		if (proc_read_stat(process->pid, 0, &stat))
			return false;
	}
	return stat.state == 'Z';
}

/* The reasons of seize-process.c, as far as they show from outside. */
static void check_process(struct watching *watching, struct remote_process *process)
{
	struct refusals *refusals = watching->refusals;
	pid_t pid = process->pid;
	LOG_SCOPE("task", pid);

	if (pid == getpid()) {
		refuse(refusals, "criu itself (task %d) runs in the tree: run it from outside", pid);
		process->state = REMOTE_ZOMBIE;
	}
	if (process->state == REMOTE_ZOMBIE)
		return;
	if (process->stat.flags & PF_KTHREAD)
		refuse(refusals, "it is a thread of the kernel (%s), which can't be dumped", process->stat.comm);
	if (main_thread_is_gone(process)) {
		refuse(refusals,
		       "its main thread (%s) has exited while others run; this can't be dumped: wait for their end",
		       process->stat.comm);
		/* What /proc tells of the process is what it tells of a dead thread. */
		process->state = REMOTE_ZOMBIE;
		return;
	}
	for (size_t i = 0; i < process->n_threads; i++)
		if (vfork_lasts(&process->threads[i]))
			refuse(refusals,
			       "task %d: waits for its vfork() child to execute a program or to end: dump it when it "
			       "has",
			       pid);
}

/* We may be the tracer still, of a thread that we could not stop and that will not hear of its release before it wakes up. */
static void check_tracer(struct watching *watching, const struct remote_thread *thread)
{
	struct proc_status status = { 0 };

	if (!proc_read_status(thread->process->pid, thread->tid, &status) && status.tracer_pid &&
	    status.tracer_pid != getpid())
		refuse(watching->refusals, "task %d: it is being traced by task %d; end the tracer first",
		       thread->process->pid, status.tracer_pid);
	proc_status_free(&status);
}

/* -ESRCH, not logged, if it has ended. */
static int add_process(struct watching *watching, pid_t pid, struct remote_process *parent)
{
	struct remote_process *process = xalloc(sizeof(*process));
	struct remote_tree *tree = watching->tree;
	int err;

	LOG_SCOPE("task", pid);
	process->pid = pid;
	process->parent = parent;
	process->pidfd = process->mem_fd = -1;
	process->watched = true;
	err = read_process(process);
	if (err) {
		remote_process_free(process);
		return err;
	}
	if (tree->n == watching->cap)
		vec_grow((void **)&tree->processes, &watching->cap, sizeof(*tree->processes));
	tree->processes[tree->n++] = process;
	hash_put(&watching->known, pid, 0, process);
	return 0;
}

/* Outside of the scope that names the task: so do the texts. */
static void check_all(struct watching *watching)
{
	for (size_t i = 0; i < watching->tree->n; i++) {
		struct remote_process *process = watching->tree->processes[i];

		check_process(watching, process);
		for (size_t j = 0; process->state != REMOTE_ZOMBIE && j < process->n_threads; j++)
			check_tracer(watching, &process->threads[j]);
	}
}

/* --- the tree ------------------------------------------------------------------- */

static int add_children(struct watching *watching, struct remote_process *process, int (*list)(pid_t, pid_list *))
{
	pid_list children = { 0 };
	int err = list(process->pid, &children);

	for (size_t i = 0; !err && i < children.n; i++) {
		if (hash_get(&watching->known, children.data[i], 0))
			continue;
		err = add_process(watching, children.data[i], process);
		if (err == -ESRCH)
			err = 0;
	}
	VEC_FREE(&children);
	return err == -ESRCH ? 0 : err;
}

static int add_descendants(struct watching *watching, size_t from)
{
	int err = 0;

	for (size_t i = from; !err && i < watching->tree->n; i++)
		if (watching->tree->processes[i]->state != REMOTE_ZOMBIE)
			err = add_children(watching, watching->tree->processes[i], proc_list_children);
	return err;
}

/* As in seize.c: an orphan may have come to a process after its children were listed. */
static int add_orphans(struct watching *watching)
{
	int err = 0, quiet = 0;

	for (int round = 0; !err && quiet < 2 && round < ROUNDS_MAX; round++) {
		size_t n = watching->tree->n;

		for (size_t i = 0; !err && i < n; i++)
			if (watching->tree->processes[i]->state != REMOTE_ZOMBIE)
				err = add_children(watching, watching->tree->processes[i], proc_list_main_children);
		quiet = watching->tree->n == n ? quiet + 1 : 0;
		err = err ? err : add_descendants(watching, n);
	}
	return err;
}

int watch_tree(pid_t root, struct refusals *refusals, struct remote_tree *ret)
{
	struct watching watching = { .tree = ret, .refusals = refusals };
	int err;

	memset(ret, 0, sizeof(*ret));
	err = add_process(&watching, root, NULL);
	if (err == -ESRCH)
		err = fail(ESRCH, "task %d: no such process (option -t)", root);
	if (!err && ret->processes[0]->state == REMOTE_ZOMBIE)
		err = fail(ESRCH, "task %d: it has exited (option -t)", root);
	if (!err)
		err = add_descendants(&watching, 0);
	if (!err)
		err = add_orphans(&watching);
	if (!err)
		check_all(&watching);
	hash_free(&watching.known);
	if (err)
		watch_free(ret);
	return err;
}

bool watch_is_gone(const struct remote_process *process, pid_t tid)
{
	struct proc_stat stat;
	char path[64];

	if (!process->watched)
		return false;
	if (tid != process->pid) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d", process->pid, tid);
		return access(path, F_OK) != 0;
	}
	/* A zombie has nothing left to look at, either. */
	return proc_read_stat(tid, 0, &stat) || stat.state == 'Z' || stat.state == 'X' ||
	       stat.start_time != process->stat.start_time;
}

void watch_free(struct remote_tree *tree)
{
	for (size_t i = 0; i < tree->n; i++)
		remote_process_free(tree->processes[i]);
	free(tree->processes);
	memset(tree, 0, sizeof(*tree));
}
