#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/syscalls.h"
#include "remote/keeper.h"
#include "remote/ptrace.h"
#include "remote/seize-process.h"
#include "remote/seize.h"
#include "util/hash.h"
#include "util/log.h"

/* The first n_finished processes of the tree have stopped, the others were told to. */
struct seizing {
	struct remote_tree *tree;
	size_t cap, n_finished;
	struct refusals *refusals;
	struct hash known; /* by pid: those of the tree and the dropped ones */
	bool found_dead;   /* one was, since this was last reset */
};

static struct remote_process *add_process(struct seizing *seizing, pid_t pid, struct remote_process *parent)
{
	struct remote_tree *tree = seizing->tree;
	struct remote_process *process = xalloc(sizeof(*process));

	process->pid = pid;
	process->parent = parent;
	process->mem_fd = -1;
	process->keeper = parent ? parent->keeper : keeper_new();
	process->pidfd = remote_pidfd(pid);
	if (tree->n == seizing->cap)
		vec_grow((void **)&tree->processes, &seizing->cap, sizeof(*tree->processes));
	tree->processes[tree->n++] = process;
	hash_put(&seizing->known, pid, 0, process);
	return process;
}

/* Stands in the map for one that is no longer in the tree. */
static struct remote_process dropped;

static struct remote_process *find_process(const struct seizing *seizing, pid_t pid)
{
	struct remote_process *process = hash_get(&seizing->known, pid, 0);

	return process == &dropped ? NULL : process;
}

/* Children end until they are stopped, and are reaped by nobody where SIGCHLD is ignored. */
static void drop_process(struct seizing *seizing, size_t i)
{
	struct remote_tree *tree = seizing->tree;

	hash_put(&seizing->known, tree->processes[i]->pid, 0, &dropped);
	remote_process_free(tree->processes[i]);
	tree->n--;
	if (i < seizing->n_finished)
		seizing->n_finished--;
	memmove(&tree->processes[i], &tree->processes[i + 1], (tree->n - i) * sizeof(*tree->processes));
	seizing->found_dead = true;
}

static int add_child(struct seizing *seizing, pid_t pid, struct remote_process *parent)
{
	int err = seize_process_begin(seizing->refusals, add_process(seizing, pid, parent));

	if (err != -ESRCH)
		return err;
	drop_process(seizing, seizing->tree->n - 1);
	return 0;
}

static int add_children(struct seizing *seizing, struct remote_process *process, int (*list)(pid_t, pid_list *))
{
	pid_list children = { 0 };
	int err = list(process->pid, &children);

	for (size_t i = 0; !err && i < children.n; i++)
		if (!find_process(seizing, children.data[i]))
			err = add_child(seizing, children.data[i], process);
	VEC_FREE(&children);
	return err;
}

/* Finish the next process of the tree and begin with its children. */
static int seize_next(struct seizing *seizing)
{
	struct remote_process *process = seizing->tree->processes[seizing->n_finished];
	LOG_SCOPE("task", process->pid);
	int err = 0;

	if (process->state != REMOTE_ZOMBIE)
		err = seize_process_finish(seizing->refusals, process);
	if (err == -ESRCH && seizing->n_finished) {
		drop_process(seizing, seizing->n_finished);
		return 0;
	}
	if (err)
		return err;
	seizing->n_finished++;
	if (process->state != REMOTE_ZOMBIE)
		return add_children(seizing, process, proc_list_children);
	return 0;
}

/* A zombie that nobody wants to wait for is seen for a moment only. */
static void drop_vanished(struct seizing *seizing)
{
	struct remote_tree *tree = seizing->tree;

	for (size_t i = tree->n; i-- > 1;) {
		struct proc_stat stat;

		if (tree->processes[i]->state == REMOTE_ZOMBIE &&
		    proc_read_stat(tree->processes[i]->pid, 0, &stat) == -ESRCH)
			drop_process(seizing, i);
	}
}

/*
 * An orphan may have come to a process after its children were listed.  And the kernel's
 * list leaves out some that run when another is reaped while it is read: each such list
 * has one that is dead or new in it.  Two rounds without either have seen everything.
 */
static int add_orphans(struct seizing *seizing, bool *ret_complete)
{
	size_t n = seizing->tree->n;

	for (int round = 0; round < 2; round++) {
		seizing->found_dead = false;
		for (size_t i = 0; i < n; i++) {
			struct remote_process *process = seizing->tree->processes[i];
			int err = process->state == REMOTE_ZOMBIE
					  ? 0
					  : add_children(seizing, process, proc_list_main_children);

			if (err)
				return err;
		}
		drop_vanished(seizing);
		*ret_complete = !seizing->found_dead && seizing->tree->n == n;
		if (!*ret_complete)
			return 0;
	}
	return 0;
}

/* Breadth first, so that a level's stops overlap. */
static int seize_all(struct seizing *seizing, pid_t root)
{
	struct remote_tree *tree = seizing->tree;
	int err = seize_process_begin(seizing->refusals, add_process(seizing, root, NULL));
	bool complete = false;

	if (err == -ESRCH)
		return fail(ESRCH, "task %d: no such process (option -t)", root);
	if (!err && tree->processes[0]->state == REMOTE_ZOMBIE)
		return fail(ESRCH, "task %d: it has exited (option -t)", root);
	while (!err && !complete)
		err = seizing->n_finished < tree->n ? seize_next(seizing) : add_orphans(seizing, &complete);
	return err;
}

int seize_tree(pid_t root, unsigned int timeout_s, struct refusals *refusals, struct remote_tree *ret)
{
	struct seizing seizing = { .tree = ret, .refusals = refusals };
	int err;

	memset(ret, 0, sizeof(*ret));
	ptrace_deadline(timeout_s);
	err = seize_all(&seizing, root);
	ptrace_deadline(0);
	hash_free(&seizing.known);
	if (!err && refusals->n)
		err = -EBUSY;
	if (err)
		seize_release(ret, RELEASE_RUN);
	return err;
}

void seize_bind(struct remote_tree *tree)
{
	for (size_t i = 0; i < tree->n; i++)
		for (size_t j = 0; j < tree->processes[i]->n_threads; j++) {
			const struct remote_thread *thread = &tree->processes[i]->threads[j];

			ptrace_request(PTRACE_SETOPTIONS, thread->tid, 0,
				       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
					       (thread->confine ? PTRACE_O_SUSPEND_SECCOMP : 0));
		}
}

static void release_threads(struct remote_process *process, enum release how)
{
	if (how == RELEASE_STOP && process->state == REMOTE_ALIVE)
		sys_pidfd_send_signal(process->pidfd, SIGSTOP);
	for (size_t i = 0; i < process->n_threads; i++) {
		struct remote_thread *thread = &process->threads[i];
		long err = ptrace_request(PTRACE_DETACH, thread->tid, 0, 0);

		if (err && err != -ESRCH)
			pr_warn("thread %d: cannot detach: %s", thread->tid, strerror(-err));
		if (thread->held_signo)
			syscall(SYS_tgkill, process->pid, thread->tid, thread->held_signo);
	}
}

/* Tracee threads stay zombies until their tracer has waited for them. */
static void reap_threads(struct remote_process *process)
{
	for (size_t i = process->n_threads; i-- > 0;)
		while (waitpid(process->threads[i].tid, NULL, __WALL) < 0 && errno == EINTR)
			;
}

void seize_release(struct remote_tree *tree, enum release how)
{
	struct keeper *keeper = tree->n ? tree->processes[0]->keeper : NULL;

	for (size_t i = 0; i < tree->n; i++) {
		struct remote_process *process = tree->processes[i];

		if (process->state == REMOTE_ZOMBIE)
			continue;
		if (how == RELEASE_KILL)
			sys_pidfd_send_signal(process->pidfd, SIGKILL);
		else
			release_threads(process, how);
	}
	for (size_t i = 0; i < tree->n; i++) {
		if (how == RELEASE_KILL && tree->processes[i]->state != REMOTE_ZOMBIE)
			reap_threads(tree->processes[i]);
		remote_process_free(tree->processes[i]);
	}
	free(tree->processes);
	keeper_end(keeper);
	memset(tree, 0, sizeof(*tree));
}
