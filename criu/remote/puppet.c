#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/syscalls.h"
#include "remote/batch.h"
#include "remote/ptrace.h"
#include "remote/call.h"
#include "remote/puppet.h"
#include "util/log.h"

#define PUPPET_OPTIONS                                                                                                 \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |                      \
	 PTRACE_O_SUSPEND_SECCOMP)

static struct remote_process *new_process(pid_t pid, struct remote_process *parent)
{
	struct remote_process *process = xalloc(sizeof(*process));

	process->pid = pid;
	process->parent = parent;
	process->puppet = true;
	process->mem_fd = -1;
	process->pidfd = sys_pidfd_open(pid, 0);
	process->threads = xalloc(sizeof(*process->threads));
	process->n_threads = 1;
	process->threads[0].process = process;
	process->threads[0].tid = pid;
	process->driver = &process->threads[0];
	process->end_signo = SIGURG;
	return process;
}

/* A `syscall` instruction of our own vdso: a forked puppet has it at the same place. */
static uint64_t find_syscall_insn(void)
{
	const uint8_t *vdso = (const uint8_t *)getauxval(AT_SYSINFO_EHDR);

	for (size_t i = 0; vdso && i < PAGE_BYTES; i++)
		if (vdso[i] == 0x0f && vdso[i + 1] == 0x05)
			return (uintptr_t)(vdso + i);
	return 0;
}

static int take_stop(struct remote_thread *thread)
{
	int err, status;

	err = ptrace_wait(thread->tid, &status);
	if (err == -ESRCH)
		return fail(ESRCH, "puppet %d: died before it was ready", thread->tid);
	if (!err && ptrace_classify(status) != STOP_EVENT)
		err = fail(EIO, "puppet %d: unexpected first stop %#x", thread->tid, status);
	if (!err)
		err = ptrace_get_regs(thread->tid, &thread->resume_regs);
	thread->resume_regs.orig_rax = -1;
	thread->stop_regs = thread->resume_regs;
	return err;
}

/*
 * What the forked child does until it is seized: wait, and end if we die first.
 * Between its birth and PTRACE_O_EXITKILL the pipe is what ties it to us.
 */
static void wait_to_be_seized(int alive_fd)
{
	char byte;

	while (read(alive_fd, &byte, 1) < 0)
		;
	_exit(1);
}

/* Is the number only still in use by what is left of a task that has ended? */
static bool is_fading(pid_t pid)
{
	struct proc_stat stat;

	return proc_read_stat(pid, 0, &stat) || stat.state == 'Z' || stat.state == 'X';
}

/* The job may have been killed a moment ago: its parent takes a while to reap it. */
static long clone_patiently(const struct clone_args *args, pid_t pid)
{
	enum { TRIES = 50 };
	const struct timespec pause = { .tv_nsec = 20000000 };
	long ret = sys_clone3(args, sizeof(*args));

	for (int i = 0; i < TRIES && ret == -EEXIST && is_fading(pid); i++) {
		nanosleep(&pause, NULL);
		ret = sys_clone3(args, sizeof(*args));
	}
	return ret;
}

static int fork_root(const struct puppet_spec *spec)
{
	pid_t tid = spec->pid;
	struct clone_args args = {
		.flags = spec->clone_flags,
		.exit_signal = spec->exit_signo,
		.set_tid = (uintptr_t)&tid,
		.set_tid_size = 1,
	};
	int alive[2];
	long ret;

	if (pipe2(alive, O_CLOEXEC))
		return fail_errno("cannot make a pipe");
	ret = clone_patiently(&args, spec->pid);
	if (!ret) {
		close(alive[1]);
		wait_to_be_seized(alive[0]);
	}
	close(alive[0]);
	if (ret == -EEXIST)
		ret = fail(EEXIST, "task %d: its PID is in use by another task", spec->pid);
	else if (ret < 0)
		ret = fail(-ret, "task %d: cannot be created with its PID", spec->pid);
	if (ret > 0) {
		long err = ptrace_request(PTRACE_SEIZE, ret, 0, PUPPET_OPTIONS | PTRACE_O_EXITKILL);

		if (!err)
			err = ptrace_request(PTRACE_INTERRUPT, ret, 0, 0);
		if (err) {
			kill(ret, SIGKILL);
			waitpid(ret, NULL, __WALL);
			ret = fail(-err, "task %d: cannot attach to what is to become it", spec->pid);
		}
	}
	close(alive[1]);
	return ret;
}

static int drop_rseq(struct remote_thread *thread)
{
	struct ptrace_rseq_configuration conf;
	long ret;
	int err;

	memset(&conf, 0, sizeof(conf));
	if (ptrace_request(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(conf), (uintptr_t)&conf) < 0 ||
	    !conf.rseq_abi_pointer)
		return 0;
	err = remote_call(thread, &ret, SYS_rseq, conf.rseq_abi_pointer, conf.rseq_abi_size, 1, conf.signature);
	if (!err && ret < 0)
		err = fail(-ret, "puppet %d: cannot unregister the rseq area it was forked with", thread->tid);
	return err;
}

int puppet_make_root(const struct puppet_spec *spec, struct remote_process **ret)
{
	struct remote_process *process;
	int err = fork_root(spec);

	if (err < 0)
		return err;
	process = new_process(spec->pid, NULL);
	process->syscall_insn.v = find_syscall_insn();
	*ret = process;
	err = process->syscall_insn.v ? 0 : fail(ENOTSUP, "this kernel gives processes no vdso");
	if (!err)
		err = take_stop(process->driver);
	if (!err)
		err = ptrace_set_sigmask(process->pid, ~(1ULL << (SIGURG - 1)));
	return err ? err : drop_rseq(process->driver);
}

static int clone_error(long ret, const char *what, pid_t pid)
{
	if (ret == -EEXIST)
		return fail(EEXIST, "%s %d: its ID is in use by another task", what, pid);
	return fail(-ret, "%s %d: cannot be created with its ID", what, pid);
}

int puppet_make_child(struct remote_process *parent, const struct puppet_spec *spec, struct remote_process **ret)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	struct remote_process *child;
	struct remote_addr tid;
	int err, op;

	err = batch_new(parent->driver, &batch);
	if (!err)
		err = batch_room(batch, 1, 256);
	if (err)
		return err;
	tid = batch_data(batch, &spec->pid, sizeof(spec->pid));
	struct clone_args args = {
		.flags = spec->clone_flags,
		/* With CLONE_PARENT the signal is that of the parent's own creation. */
		.exit_signal = spec->clone_flags & CLONE_PARENT ? 0 : spec->exit_signo,
		.set_tid = tid.v,
		.set_tid_size = 1,
	};
	op = batch_add(batch, SYS_clone3, batch_data(batch, &args, sizeof(args)).v, sizeof(args));
	err = batch_run(batch);
	if (err)
		return err;
	if (batch_ret(batch, op) != spec->pid)
		return clone_error(batch_ret(batch, op), "task", spec->pid);

	child = new_process(spec->pid, spec->clone_flags & CLONE_PARENT ? parent->parent : parent);
	child->syscall_insn = parent->syscall_insn;
	child->scratch = parent->scratch;
	child->scratch_bytes = parent->scratch_bytes;
	child->threads[0].slot = parent->scratch;
	*ret = child;
	return take_stop(child->driver);
}

static int grow_threads(struct remote_process *process, const pid_t *tids, size_t n)
{
	size_t total = process->n_threads + n;

	if (total * REMOTE_SLOT_BYTES > process->scratch_bytes)
		return fail(EINVAL, "puppet %d: no room for %zu threads", process->pid, total);
	process->threads = xrealloc(process->threads, total * sizeof(*process->threads));
	process->driver = &process->threads[0];
	for (size_t i = process->n_threads; i < total; i++) {
		struct remote_thread *thread = &process->threads[i];

		memset(thread, 0, sizeof(*thread));
		thread->process = process;
		thread->tid = tids[i - process->n_threads];
		thread->slot = remote_addr_at(process->scratch, i * REMOTE_SLOT_BYTES);
	}
	return 0;
}

/* As pthread_create() does, without what the image sets anyway. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static int clone_some(struct remote_process *process, struct batch *batch, const pid_t *tids, size_t n)
{
	int ops[BATCH_MAX_OPS / 2];
	int err = batch_room(batch, n, n * (sizeof(struct clone_args) + 16));

	if (err)
		return err;
	for (size_t i = 0; i < n; i++) {
		struct clone_args args = {
			.flags = THREAD_FLAGS,
			.set_tid = batch_data(batch, &tids[i], sizeof(tids[i])).v,
			.set_tid_size = 1,
		};

		ops[i] = batch_add(batch, SYS_clone3, batch_data(batch, &args, sizeof(args)).v, sizeof(args));
	}
	err = batch_run(batch);
	for (size_t i = 0; !err && i < n; i++)
		if (batch_ret(batch, ops[i]) != tids[i])
			err = clone_error(batch_ret(batch, ops[i]), "thread", tids[i]);
	return err;
}

int puppet_make_threads(struct remote_process *process, const pid_t *tids, size_t n)
{
	cleanup_with(batch_freep) struct batch *batch = NULL;
	size_t first = process->n_threads;
	int err = 0;

	if (!n)
		return 0;
	err = grow_threads(process, tids, n);
	if (!err)
		err = batch_new(process->driver, &batch);
	for (size_t done = 0; !err && done < n;) {
		size_t now = min_u64(n - done, BATCH_MAX_OPS / 2);

		err = clone_some(process, batch, tids + done, now);
		for (size_t i = done; !err && i < done + now; i++) {
			err = take_stop(&process->threads[first + i]);
			process->n_threads += !err;
		}
		done += now;
	}
	return err;
}

int puppet_commit(struct remote_process *process)
{
	for (size_t i = 0; i < process->n_threads; i++) {
		long err = ptrace_request(PTRACE_SETOPTIONS, process->threads[i].tid, 0,
					  PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP);

		if (err)
			return fail(-err, "thread %d: cannot be released", process->threads[i].tid);
	}
	return 0;
}

/* --- ends --------------------------------------------------------------------- */

/* Run one call that does not return, and see the process die. */
static int run_last_call(struct remote_process *process, long nr, uint64_t arg0, uint64_t arg1)
{
	struct user_regs_struct regs = process->driver->resume_regs;
	const uint64_t args[6] = { arg0, arg1 };
	int err, status;

	arch_set_syscall(&regs, process->syscall_insn.v, nr, args);
	err = ptrace_set_regs(process->pid, &regs);
	if (!err)
		err = ptrace_set_sigmask(process->pid, 0);
	if (!err)
		err = ptrace_cont(process->pid, 0);
	while (!err) {
		err = ptrace_wait(process->pid, &status);
		if (err == -ESRCH)
			return 0;
		if (!err)
			err = ptrace_cont(process->pid, ptrace_classify(status) == STOP_SIGNAL ? WSTOPSIG(status) : 0);
	}
	return err;
}

int puppet_exit(struct remote_process *process)
{
	return run_last_call(process, SYS_exit_group, 0, 0);
}

int puppet_exit_with(struct remote_process *process, int status)
{
	if (WIFSIGNALED(status))
		return run_last_call(process, SYS_kill, process->pid, WTERMSIG(status));
	return run_last_call(process, SYS_exit_group, WEXITSTATUS(status), 0);
}

int puppet_reap(struct remote_process *parent, pid_t child)
{
	long ret;
	int err = remote_call(parent->driver, &ret, SYS_wait4, child, 0, __WALL, 0);

	if (!err && ret != child)
		err = fail(ret < 0 ? -ret : ECHILD, "task %d: cannot reap its helper %d", parent->pid, child);
	return err;
}
