/*
 * Group stops of puppets.
 *
 * What decides the stop signal that wait() shows is the signal a thread
 * takes, and a tracer may choose that one in the place of another:
 *
 *  1. SIGSTOP is sent to the leader and reported to us: nothing can block it
 *  2. we interrupt the leader, so that it can't come to run whatever follows,
 *     and let it take the signal wanted instead
 *  3. it begins the group stop and stops with PTRACE_EVENT_STOP and that signal;
 *     where the signal does not stop (orphaned process group), with SIGTRAP
 *  4. every other thread, once continued, joins the stop in the same way
 *  5. with the last one the parent is told
 *
 * A thread that is let go in this state stays stopped, and nobody is told again.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "remote/call.h"
#include "remote/ptrace.h"
#include "remote/puppet.h"
#include "util/log.h"

static int wait_for(pid_t tid, enum ptrace_stop kind, int *ret_signo)
{
	int status, err = ptrace_wait(tid, &status);

	if (err == -ESRCH)
		return fail(ESRCH, "puppet %d: was killed from outside", tid);
	if (err)
		return err;
	if (ptrace_classify(status) != kind)
		return fail(EIO, "puppet %d: unexpected stop %#x on its way to a group stop", tid, status);
	*ret_signo = WSTOPSIG(status);
	return 0;
}

/* *ret_stopped: the signal with which the leader has stopped, SIGTRAP if none. */
static int stop_leader(struct remote_process *process, int signo, int *ret_stopped)
{
	pid_t pid = process->pid;
	int err, carrier = 0;

	err = ptrace_set_sigmask(pid, ~(1ULL << (signo - 1)));
	if (!err && syscall(SYS_tgkill, pid, pid, SIGSTOP))
		err = fail_errno("puppet %d: cannot be stopped", pid);
	if (!err)
		err = ptrace_cont(pid, 0);
	if (!err)
		err = wait_for(pid, STOP_SIGNAL, &carrier);
	if (!err && carrier != SIGSTOP)
		err = fail(EINTR, "puppet %d: got signal %d from outside", pid, carrier);
	if (!err && ptrace_request(PTRACE_INTERRUPT, pid, 0, 0))
		err = fail_errno("puppet %d: cannot be interrupted", pid);
	if (!err)
		err = ptrace_cont(pid, signo);
	return err ? err : wait_for(pid, STOP_EVENT, ret_stopped);
}

int puppet_group_stop(struct remote_process *process, int signo)
{
	int stopped = 0;
	int err = stop_leader(process, signo, &stopped);

	if (!err && stopped == SIGTRAP && signo != SIGSTOP) {
		signo = SIGSTOP;
		err = stop_leader(process, signo, &stopped);
	}
	if (!err && stopped != signo)
		err = fail(EIO, "puppet %d: stopped by signal %d instead of %d", process->pid, stopped, signo);
	for (size_t i = 1; !err && i < process->n_threads; i++) {
		pid_t tid = process->threads[i].tid;

		err = ptrace_set_sigmask(tid, UINT64_MAX);
		if (!err)
			err = ptrace_cont(tid, 0);
		if (!err)
			err = wait_for(tid, STOP_EVENT, &stopped);
	}
	return err;
}

int puppet_wait_stopped(struct remote_process *parent, pid_t child)
{
	long ret;
	int err = remote_call(parent->driver, &ret, SYS_waitid, P_PID, child, 0, WSTOPPED | WNOHANG | __WALL, 0);

	if (!err && ret < 0)
		err = fail(-ret, "task %d: cannot wait for the stop of its child %d", parent->pid, child);
	return err;
}
