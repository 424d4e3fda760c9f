#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/syscalls.h"
#include "remote/confine.h"
#include "remote/keeper.h"
#include "remote/ptrace.h"
#include "remote/seize.h"
#include "remote/stop.h"
#include "util/log.h"

/* How long a vfork() child may take before its parent is given up. */
#define VFORK_PATIENCE_US 1000000

/* Threads that were told to stop but have not been waited for. */
struct seizing {
	struct remote_tree *tree;
	struct refusals refusals;
	size_t cap;
};

static struct remote_process *add_process(struct seizing *seizing, pid_t pid, struct remote_process *parent)
{
	struct remote_tree *tree = seizing->tree;
	struct remote_process *process = xalloc(sizeof(*process));

	process->pid = pid;
	process->parent = parent;
	process->mem_fd = -1;
	process->keeper = parent ? parent->keeper : keeper_new();
	process->pidfd = sys_pidfd_open(pid, 0);
	if (tree->n == seizing->cap)
		vec_grow((void **)&tree->processes, &seizing->cap, sizeof(*tree->processes));
	tree->processes[tree->n++] = process;
	return process;
}

static struct remote_thread *add_thread(struct remote_process *process, pid_t tid)
{
	struct remote_thread *thread;

	/* Grown by doubling: full whenever the count is a power of two. */
	if (!(process->n_threads & (process->n_threads - 1)))
		process->threads = xrealloc(process->threads, (2 * process->n_threads + 1) * sizeof(*thread));
	thread = &process->threads[process->n_threads++];
	memset(thread, 0, sizeof(*thread));
	thread->process = process;
	thread->tid = tid;
	return thread;
}

static bool has_thread(const struct remote_process *process, pid_t tid)
{
	for (size_t i = 0; i < process->n_threads; i++)
		if (process->threads[i].tid == tid)
			return true;
	return false;
}

/* Attach and ask for a stop, without waiting for it. 0 also if the thread went away. */
static int seize_thread(struct seizing *seizing, struct remote_process *process, pid_t tid)
{
	long err = ptrace_request(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD);
	struct proc_stat stat;

	if (err == -ESRCH)
		return 0;
	if (err == -EPERM && !proc_read_stat(process->pid, tid, &stat)) {
		if (stat.state == 'Z' && tid != process->pid)
			return 0;
		if (stat.state == 'Z') {
			refuse(&seizing->refusals,
			       "task %d (%s): its main thread has exited while others run; this can't be dumped",
			       process->pid, stat.comm);
			return 0;
		}
	}
	if (err) {
		struct proc_status status = { 0 };

		if (!proc_read_status(process->pid, tid, &status) && status.tracer_pid)
			refuse(&seizing->refusals, "task %d: it is being traced by task %d; end the tracer first",
			       process->pid, status.tracer_pid);
		else
			refuse(&seizing->refusals, "task %d: cannot attach to thread %d: %s", process->pid, tid,
			       strerror(-err));
		proc_status_free(&status);
		return 0;
	}
	add_thread(process, tid);
	err = ptrace_request(PTRACE_INTERRUPT, tid, 0, 0);
	return err && err != -ESRCH ? fail(-err, "thread %d: cannot interrupt it", tid) : 0;
}

static int suspend_seccomp(struct remote_thread *thread)
{
	long err = ptrace_request(PTRACE_SETOPTIONS, thread->tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP);

	return err ? fail(-err, "thread %d: cannot suspend its seccomp filters", thread->tid) : 0;
}

static bool stops_soon(pid_t tid)
{
	unsigned int pause_us = 20;

	for (unsigned int waited_us = 0; waited_us < VFORK_PATIENCE_US; waited_us += pause_us) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) || info.si_pid)
			return true;
		usleep(pause_us);
		pause_us = min_u64(2 * pause_us, 5000);
	}
	return false;
}

/* By the system call it is in, see clone(2). */
static bool waits_for_vfork(const struct remote_thread *thread)
{
	auto_free char *text = NULL;
	pid_t pid = thread->process->pid;
	uint64_t arg, flags = 0;
	char name[64];
	long nr;

	snprintf(name, sizeof(name), "task/%d/syscall", thread->tid);
	if (proc_read_file(pid, name, &text, NULL) || sscanf(text, "%ld %lx", &nr, &arg) != 2)
		return false;
	if (nr == SYS_clone)
		flags = arg;
	else if (nr == SYS_clone3 && sys_vm_read(pid, arg, &flags, sizeof(flags)))
		return false;
	return nr == SYS_vfork || flags & CLONE_VFORK;
}

/* Nothing but the child's exec or end wakes a thread in vfork(2); most children do that at once. */
static int await_vfork(const struct remote_thread *thread)
{
	if (stops_soon(thread->tid) || !waits_for_vfork(thread))
		return 0;
	return fail(EBUSY, "task %d: waits for its vfork() child to execute a program or to end: dump it when it has",
		    thread->process->pid);
}

static int finish_thread(struct remote_thread *thread)
{
	struct remote_process *process = thread->process;
	struct proc_status status;
	int err, wait_status, seccomp_mode;

	err = await_vfork(thread);
	if (!err)
		err = stop_wait(thread->tid, &wait_status);
	if (!err)
		err = proc_read_status(process->pid, thread->tid, &status);
	if (err)
		return err;
	stop_note(process, wait_status);
	thread->pending = status.sig_pending | status.shared_pending;
	seccomp_mode = status.seccomp;
	proc_status_free(&status);
	if (seccomp_mode)
		err = suspend_seccomp(thread);
	if (!err)
		err = stop_read(thread);
	if (!err && seccomp_mode)
		thread->confine = confine_read(thread->tid, seccomp_mode);
	return err;
}

/* Threads that exited before they could be stopped leave the list. */
static int finish_threads(struct remote_process *process, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < process->n_threads; i++) {
		int err = finish_thread(&process->threads[i]);

		if (err == -ESRCH)
			continue;
		if (err)
			return err;
		if (kept != i)
			process->threads[kept] = process->threads[i];
		kept++;
	}
	process->n_threads = kept;
	return 0;
}

/* Attach to every thread that is not ours yet; *ret_new counts them. */
static int seize_new_threads(struct seizing *seizing, struct remote_process *process, size_t *ret_new)
{
	pid_list tids = { 0 };
	size_t before = process->n_threads;
	int err = proc_list_threads(process->pid, &tids);

	for (size_t i = 0; !err && i < tids.n; i++)
		if (!before || !has_thread(process, tids.data[i]))
			err = seize_thread(seizing, process, tids.data[i]);
	VEC_FREE(&tids);
	*ret_new = process->n_threads - before;
	return err == -ESRCH ? 0 : err;
}

static bool is_alone(pid_t pid)
{
	pid_list tids = { 0 };
	bool alone = proc_list_threads(pid, &tids) || tids.n <= 1;

	VEC_FREE(&tids);
	return alone;
}

static int seize_process_begin(struct seizing *seizing, struct remote_process *process)
{
	size_t n_new;
	int err = proc_read_stat(process->pid, 0, &process->stat);

	if (err)
		return err;
	/* A worker is driven by its parent, which belongs to us, too. */
	if (process->pid == getpid() || process->pid == getppid()) {
		refuse(&seizing->refusals, "criu itself (task %d) runs in the tree: run it from outside", process->pid);
		process->state = REMOTE_ZOMBIE;
		return 0;
	}
	/* A dead main thread looks like a zombie, too, while other threads run. */
	if (process->stat.state == 'Z' && is_alone(process->pid)) {
		process->state = REMOTE_ZOMBIE;
		return 0;
	}
	return seize_new_threads(seizing, process, &n_new);
}

/* Has a stopped thread stopped anew, ended, or become one that we don't trace? */
static bool has_changed(const struct remote_thread *thread)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, thread->tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) || info.si_pid;
}

static bool is_ours(pid_t tid)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL);
}

/*
 * While threads were still running, one of them may have executed a program:
 *
 *  1. the main thread stops, its registers are read
 *  2. thread T executes a program: all others are killed, stopped or not
 *  3. T goes on under the id of the main thread, which is known as stopped
 *
 * Then everything known of the process is void. Returns whether to begin again.
 */
static bool forget_executed(struct remote_process *process)
{
	bool changed = false;

	for (size_t i = 0; i < process->n_threads; i++)
		changed |= has_changed(&process->threads[i]);
	if (!changed)
		return false;
	for (size_t i = 0; i < process->n_threads; i++)
		confine_free(process->threads[i].confine);
	process->n_threads = 0;
	process->state = REMOTE_ALIVE;
	if (is_ours(process->pid)) {
		add_thread(process, process->pid);
		if (stop_interrupt(process->pid))
			process->n_threads = 0;
	}
	return true;
}

/* Wait for what was begun, then look for threads born meanwhile until there are none. */
static int seize_process_finish(struct seizing *seizing, struct remote_process *process)
{
	size_t done = 0, n_new;
	int err;

	do {
		err = finish_threads(process, done);
		done = process->n_threads;
		if (!err)
			err = seize_new_threads(seizing, process, &n_new);
		if (!err && !n_new && forget_executed(process)) {
			done = 0;
			err = seize_new_threads(seizing, process, &n_new);
			n_new = 1;
		}
	} while (!err && n_new);
	if (err)
		return err;
	err = proc_read_stat(process->pid, 0, &process->stat);
	if (err)
		return err;
	if (!process->n_threads || process->stat.state == 'Z') {
		process->n_threads = 0;
		process->state = REMOTE_ZOMBIE;
		return 0;
	}
	if (process->threads[0].tid != process->pid)
		return seizing->refusals.n ? 0 : fail(ESRCH, "task %d: its main thread went away", process->pid);
	return proc_read_status(process->pid, 0, &process->status);
}

static int add_children(struct seizing *seizing, struct remote_process *process)
{
	pid_list children = { 0 };
	int err = proc_list_children(process->pid, &children);

	for (size_t i = 0; !err && i < children.n; i++) {
		struct remote_process *child = add_process(seizing, children.data[i], process);

		err = seize_process_begin(seizing, child);
		if (err == -ESRCH) {
			/* Reaped since its parent's list was read: cannot be, the parent is stopped. */
			err = fail(ESRCH, "task %d: vanished although its parent is stopped", child->pid);
		}
	}
	VEC_FREE(&children);
	return err;
}

/* Breadth first, so that a level's stops overlap. */
static int seize_all(struct seizing *seizing, pid_t root)
{
	struct remote_tree *tree = seizing->tree;
	int err = seize_process_begin(seizing, add_process(seizing, root, NULL));

	if (err == -ESRCH)
		return fail(ESRCH, "task %d: no such process (option -t)", root);
	if (!err && tree->processes[0]->state == REMOTE_ZOMBIE)
		return fail(ESRCH, "task %d: it has exited (option -t)", root);
	for (size_t i = 0; !err && i < tree->n; i++) {
		LOG_SCOPE("task", tree->processes[i]->pid);

		if (tree->processes[i]->state != REMOTE_ZOMBIE)
			err = seize_process_finish(seizing, tree->processes[i]);
		if (!err && tree->processes[i]->state != REMOTE_ZOMBIE)
			err = add_children(seizing, tree->processes[i]);
	}
	return err;
}

int seize_tree(pid_t root, unsigned int timeout_s, struct remote_tree *ret)
{
	struct seizing seizing = { .tree = ret };
	int err;

	memset(ret, 0, sizeof(*ret));
	ptrace_deadline(timeout_s);
	err = seize_all(&seizing, root);
	ptrace_deadline(0);
	if (!err && seizing.refusals.n)
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
