#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/syscalls.h"
#include "remote/confine.h"
#include "remote/ptrace.h"
#include "remote/seize-process.h"
#include "remote/stop.h"
#include "remote/vfork.h"
#include "util/log.h"

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

/*
 * Attach, which the kernel forbids for a thread that is ending, too.  At the end of an
 * exec a thread takes the id of the main thread, which was ending: that deserves another try.
 * -ESRCH if the thread went away.
 */
static int attach(pid_t pid, pid_t tid)
{
	for (int try = 0;; try++) {
		long err = ptrace_request(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD);
		struct proc_stat stat;
		int gone;

		if (err != -EPERM || try == 3)
			return err;
		gone = proc_read_stat(pid, tid, &stat);
		if (gone)
			return gone;
		if (stat.state == 'Z' || stat.state == 'X')
			return -ESRCH;
	}
}

static void refuse_thread(struct refusals *refusals, pid_t pid, pid_t tid, int err)
{
	struct proc_status status = { 0 };

	if (!proc_read_status(pid, tid, &status) && status.tracer_pid && status.tracer_pid != getpid())
		refuse(refusals, "task %d: it is being traced by task %d; end the tracer first", pid,
		       status.tracer_pid);
	else
		refuse(refusals, "task %d: cannot attach to thread %d: %s", pid, tid, strerror(-err));
	proc_status_free(&status);
}

/* Attach and ask for a stop, without waiting for it. 0 also if the thread went away. */
static int seize_thread(struct refusals *refusals, struct remote_process *process, pid_t tid)
{
	long err = attach(process->pid, tid);

	if (err == -ESRCH)
		return 0;
	if (err) {
		refuse_thread(refusals, process->pid, tid, err);
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

/* Nothing but the child's exec or end wakes a thread in vfork(2); most children do that at once. */
static int await_vfork(struct refusals *refusals, const struct remote_thread *thread)
{
	if (stops_soon(thread->tid) || !vfork_waits(thread))
		return 0;
	refuse(refusals, "task %d: waits for its vfork() child to execute a program or to end: dump it when it has",
	       thread->process->pid);
	return -EBUSY;
}

static int finish_thread(struct refusals *refusals, struct remote_thread *thread)
{
	struct remote_process *process = thread->process;
	struct proc_status status;
	int err, wait_status, seccomp_mode;

	err = await_vfork(refusals, thread);
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
static int finish_threads(struct refusals *refusals, struct remote_process *process, size_t from)
{
	size_t kept = from;

	for (size_t i = from; i < process->n_threads; i++) {
		int err = finish_thread(refusals, &process->threads[i]);

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
static int seize_new_threads(struct refusals *refusals, struct remote_process *process, size_t *ret_new)
{
	pid_list tids = { 0 };
	size_t before = process->n_threads;
	int err = proc_list_threads(process->pid, &tids);

	for (size_t i = 0; !err && i < tids.n; i++)
		if (!before || !has_thread(process, tids.data[i]))
			err = seize_thread(refusals, process, tids.data[i]);
	VEC_FREE(&tids);
	*ret_new = process->n_threads - before;
	return err == -ESRCH ? 0 : err;
}

/*
 * Is it a zombie, with no thread that still runs?  stat is read already.  -ESRCH if it
 * went away: zombies do where SIGCHLD is ignored.
 */
static int is_zombie(const struct remote_process *process, bool *ret)
{
	pid_list tids = { 0 };
	int err = 0;

	*ret = false;
	if (process->stat.state != 'Z' && process->stat.state != 'X')
		return 0;
	err = proc_list_threads(process->pid, &tids);
	*ret = !err && tids.n == 1;
	if (!err && !tids.n)
		err = -ESRCH;
	VEC_FREE(&tids);
	return err;
}

int seize_process_begin(struct refusals *refusals, struct remote_process *process)
{
	LOG_SCOPE("task", process->pid);
	size_t n_new;
	int err = proc_read_stat(process->pid, 0, &process->stat);
	bool zombie;

	if (err)
		return err;
	/* A worker is driven by its parent, which belongs to us, too. */
	if (process->pid == getpid() || process->pid == getppid()) {
		refuse(refusals, "criu itself (task %d) runs in the tree: run it from outside", process->pid);
		process->state = REMOTE_ZOMBIE;
		return 0;
	}
	err = is_zombie(process, &zombie);
	if (err)
		return err;
	if (zombie) {
		process->state = REMOTE_ZOMBIE;
		return 0;
	}
	return seize_new_threads(refusals, process, &n_new);
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
 * Then everything known of the process is void.
 */
static void forget_threads(struct remote_process *process)
{
	for (size_t i = 0; i < process->n_threads; i++)
		confine_free(process->threads[i].confine);
	process->n_threads = 0;
	process->state = REMOTE_ALIVE;
	if (is_ours(process->pid)) {
		add_thread(process, process->pid);
		if (stop_interrupt(process->pid))
			process->n_threads = 0;
	}
}

static bool has_executed(const struct remote_process *process)
{
	bool changed = false;

	for (size_t i = 0; i < process->n_threads; i++)
		changed |= has_changed(&process->threads[i]);
	return changed;
}

/* In the middle of an exec there may be no main thread. */
static bool has_main_thread(const struct remote_process *process)
{
	return process->n_threads && process->threads[0].tid == process->pid;
}

/* Wait for the threads from @done on, then look for threads born meanwhile until there are none. */
static int seize_threads(struct refusals *refusals, struct remote_process *process, size_t done)
{
	size_t n_new;
	int err;

	do {
		err = finish_threads(refusals, process, done);
		done = process->n_threads;
		if (!err)
			err = seize_new_threads(refusals, process, &n_new);
		if (!err && !n_new && has_executed(process)) {
			forget_threads(process);
			done = 0;
			err = seize_new_threads(refusals, process, &n_new);
			n_new = 1;
		}
	} while (!err && n_new);
	if (!err)
		err = proc_read_stat(process->pid, 0, &process->stat);
	if (!err)
		err = proc_read_status(process->pid, 0, &process->status);
	return err;
}

static void refuse_unsettled(struct refusals *refusals, const struct remote_process *process)
{
	if (process->stat.state == 'Z')
		refuse(refusals,
		       "its main thread (%s) has exited while others run; this can't be dumped: wait for their end",
		       process->stat.comm);
	else
		refuse(refusals, "%zu of its %u threads (%s) could be stopped; try again", process->n_threads,
		       process->status.n_threads, process->stat.comm);
}

/*
 * The kernel's list of threads may leave out some that run, when another ends while it
 * is read: the count tells.
 */
int seize_process_finish(struct refusals *refusals, struct remote_process *process)
{
	size_t done = 0;

	for (int ms = 0;; ms++) {
		int err = seize_threads(refusals, process, done);
		bool zombie;

		if (!err)
			err = is_zombie(process, &zombie);
		if (err)
			return err;
		if (zombie) {
			process->n_threads = 0;
			process->state = REMOTE_ZOMBIE;
			return 0;
		}
		if (has_main_thread(process) && process->n_threads == process->status.n_threads)
			return 0;
		if (refusals->n)
			return 0;
		if (ms == SETTLE_PATIENCE_MS) {
			refuse_unsettled(refusals, process);
			return 0;
		}
		usleep(1000);
		proc_status_free(&process->status);
		/* One that has ended for good is not ours, whatever we do. */
		if (!has_main_thread(process) && is_ours(process->pid))
			forget_threads(process);
		done = process->n_threads;
	}
}
