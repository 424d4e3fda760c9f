#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "remote/call.h"
#include "remote/keeper.h"
#include "remote/nap.h"
#include "remote/ptrace.h"
#include "remote/stop.h"
#include "util/log.h"

enum outcome {
	DONE,
	REPEAT,
};

static bool is_through(const struct nap_run *run)
{
	return run->regs.rip >= run->done_from && run->regs.rip <= run->done_to;
}

static bool is_in_stub(const struct nap_run *run)
{
	return run->regs.rip - run->stub.start < run->stub.bytes;
}

/* Its own registers again, in a stop where the kernel looks at restart codes. */
static int give_back(struct nap_run *run)
{
	struct remote_thread *thread = run->thread;

	return thread->process->puppet ? 0 : remote_restore(thread);
}

/*
 * Only a thread that runs is interrupted:
 *
 *  1. it stops by itself: for a signal, or once more because it is group-stopped
 *  2. we interrupt it and wait: the wait returns the stop of step 1
 *  3. we continue it, and it stops at once for the interrupt of step 2: it never gets on
 */
static int stop_now(pid_t tid, int *ret_status)
{
	pid_t stopped = waitpid(tid, ret_status, __WALL | WNOHANG);
	int err;

	if (stopped == tid)
		return WIFSTOPPED(*ret_status) ? 0 : -ESRCH;
	err = stop_interrupt(tid);
	return err ? err : ptrace_wait(tid, ret_status);
}

/* Let it run for a while, then stop it; the outcome is in run->regs. */
static int run_for(struct nap_run *run, long pause_ns, int *ret_signo)
{
	struct remote_thread *thread = run->thread;
	const struct timespec pause = { .tv_nsec = pause_ns };
	int status, err = ptrace_cont(thread->tid, 0);

	*ret_signo = 0;
	if (!err && nanosleep(&pause, NULL) && errno != EINTR)
		err = -errno;
	do {
		if (!err)
			err = stop_now(thread->tid, &status);
		if (err == -ESRCH)
			return fail(ESRCH, "thread %d: was killed from outside", thread->tid);
		/* A child of the calls of a puppet: the interrupt was used up. */
		if (!err && ptrace_classify(status) == STOP_CHILD)
			err = ptrace_cont(thread->tid, 0);
	} while (!err && ptrace_classify(status) == STOP_CHILD);
	if (err)
		return err;
	thread->syscall_stop = false;
	if (ptrace_classify(status) == STOP_SIGNAL)
		*ret_signo = WSTOPSIG(status);
	else if (ptrace_classify(status) != STOP_EVENT)
		return fail(EIO, "thread %d: unexpected stop %#x", thread->tid, status);
	return ptrace_get_regs(thread->tid, &run->regs);
}

static bool is_fault(int signo)
{
	return signo == SIGSEGV || signo == SIGBUS || signo == SIGILL || signo == SIGTRAP || signo == SIGFPE ||
	       signo == SIGSYS;
}

static int take_signal(struct nap_run *run, int signo)
{
	struct remote_thread *thread = run->thread;
	int err;

	/* Blocked all but SIGSTOP: hold that until the end. */
	if (thread->masked || thread->process->puppet) {
		if (signo != SIGSTOP)
			return fail(EFAULT, "thread %d: signal %d in a batch of remote calls", thread->tid, signo);
		thread->held_signo = signo;
		return 0;
	}
	err = give_back(run);
	return err ? err : stop_deliver(thread, signo);
}

static int run_once(struct nap_run *run, enum outcome *ret)
{
	struct remote_thread *thread = run->thread;
	int err = ptrace_set_regs(thread->tid, &run->regs);

	/* An interrupt that comes too early only costs time; the wait doubles. */
	for (long pause_ns = 20000; !err; pause_ns = min_u64(2 * pause_ns, 100000000)) {
		int signo;

		err = run_for(run, pause_ns, &signo);
		if (err)
			return err;
		if (!is_in_stub(run)) {
			/* We were away for longer than the nap: it ran on, as itself. */
			pr_warn("thread %d: ran on for a moment, criu was held up", thread->tid);
			thread->stub.v = 0;
			*ret = REPEAT;
			if (signo)
				return stop_deliver(thread, signo);
			return stop_read(thread);
		}
		*ret = is_through(run) ? DONE : REPEAT;
		if (signo && (is_fault(signo) && !is_through(run)))
			return fail(EFAULT, "thread %d: signal %d in a batch of remote calls", thread->tid, signo);
		if (signo)
			err = take_signal(run, signo);
		if (err || *ret == DONE || (signo && !thread->masked && !thread->process->puppet))
			return err;
	}
	return err;
}

int nap_run(struct nap_run *run)
{
	enum { TRIES = 20 };
	struct remote_thread *thread = run->thread;
	struct keeper *keeper = thread->process->keeper;
	enum outcome outcome = REPEAT;
	int err = 0;

	for (int i = 0; !err && outcome == REPEAT && i < TRIES; i++) {
		err = run->prepare(run);
		/* What is undone should we fail in the middle. */
		if (!err && !thread->process->puppet)
			thread->stub.v = run->stub.start;
		if (!err && !thread->masked)
			keeper_cover(keeper, thread->process->pid, thread->tid, run->go);
		if (!err)
			err = run_once(run, &outcome);
		if (!err)
			err = give_back(run);
		/* After an error it may stand before a call: leave it covered until it is let go. */
		if (!err)
			keeper_uncover(keeper);
	}
	if (!err && outcome == REPEAT)
		err = fail(EAGAIN, "thread %d: signals keep arriving", thread->tid);
	return err;
}
