#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "remote/call.h"
#include "remote/confine.h"
#include "remote/nap.h"
#include "remote/place.h"
#include "remote/ptrace.h"
#include "remote/stop.h"
#include "stub.h"
#include "util/log.h"

#define PLACE_TRIES   64
#define ALL_SIGNALS   (~0ULL)
#define SIGBIT(signo) (1ULL << ((signo)-1))

static int install_stub(struct remote_thread *driver)
{
	uint8_t code[ARCH_STUB_BYTES_MAX] = { 0 };

	arch_stub_build(code, &driver->resume_regs, driver->sigmask, false);
	arch_stub_claim(code, driver->process->scratch_wanted.v, driver->process->scratch_bytes);
	return remote_write_stub(driver->process, code, arch_stub_bytes(false));
}

/* --- what filters would say --------------------------------------------------- */

bool remote_is_harmless(const struct remote_thread *thread, uint64_t ip, long nr, const uint64_t args[6])
{
	return confine_judge(thread->confine, ip, nr, args) != CONFINE_FATAL;
}

bool remote_heals_harmlessly(const struct remote_thread *thread, struct remote_addr stub)
{
	const uint64_t args[6] = { SIG_SETMASK, stub.v, 0, sizeof(uint64_t) };

	return confine_judge(thread->confine, stub.v + arch_stub_offset(ARCH_STUB_HEAL_REGS), SYS_rt_sigprocmask,
			     args) == CONFINE_ALLOWED;
}

static bool is_harmless_in(const struct remote_thread *thread, struct remote_addr stub, long nr, const uint64_t args[6])
{
	/* The stub looks for its call's number right behind it. */
	uint64_t ip = stub.v + arch_stub_offset(ARCH_STUB_HEAL);

	return !thread->confine || (remote_heals_harmlessly(thread, stub) && remote_is_harmless(thread, ip, nr, args));
}

static bool is_confined(const struct remote_thread *thread)
{
	static const long calls[] = { SYS_mmap, SYS_munmap, SYS_brk };
	static const uint64_t args[6];

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (!is_harmless_in(thread, thread->process->stub, calls[i], args))
			return true;
	return false;
}

/* --- parking --------------------------------------------------------------- */

static struct user_regs_struct parked_regs(const struct remote_thread *thread)
{
	struct user_regs_struct regs = thread->resume_regs;

	regs.rip = thread->stub.v + arch_stub_offset(ARCH_STUB_HEAL);
	regs.orig_rax = -1;
	return regs;
}

int remote_park(struct remote_thread *thread, struct remote_addr stub)
{
	struct user_regs_struct regs;
	int err;

	thread->stub = stub;
	regs = parked_regs(thread);
	err = ptrace_set_regs(thread->tid, &regs);
	if (err)
		return err;
	thread->masked = true;
	return ptrace_set_sigmask(thread->tid, ALL_SIGNALS);
}

/*
 * From a syscall stop the kernel may not look at restart codes again: bring
 * the thread, still parked, to an event stop first.
 */
static int to_event_stop(struct remote_thread *thread)
{
	int err, status;

	do {
		err = stop_interrupt(thread->tid);
		if (!err)
			err = ptrace_cont(thread->tid, 0);
		if (!err)
			err = ptrace_wait(thread->tid, &status);
		if (!err && ptrace_classify(status) == STOP_SIGNAL)
			thread->held_signo = WSTOPSIG(status);
	} while (!err && ptrace_classify(status) != STOP_EVENT);
	thread->syscall_stop = false;
	return err;
}

int remote_restore(struct remote_thread *thread)
{
	int err = thread->masked ? ptrace_set_sigmask(thread->tid, thread->sigmask) : 0;

	if (!err)
		err = ptrace_set_regs(thread->tid, &thread->stop_regs);
	if (err)
		return err;
	thread->masked = false;
	thread->stub.v = 0;
	return 0;
}

int remote_unpark(struct remote_thread *thread)
{
	int err = 0;

	if (!thread->stub.v)
		return 0;
	if (thread->syscall_stop)
		err = to_event_stop(thread);
	return err ? err : remote_restore(thread);
}

/* --- one call between two stops ------------------------------------------------ */

static int run_to_syscall_stop(struct remote_thread *thread)
{
	int err, status;

	for (;;) {
		err = ptrace_request(PTRACE_SYSCALL, thread->tid, 0, 0);
		if (err)
			return fail(-err, "thread %d: cannot run a call in it", thread->tid);
		err = ptrace_wait(thread->tid, &status);
		if (err)
			return err == -ESRCH ? fail(ESRCH, "thread %d: was killed from outside", thread->tid) : err;
		switch (ptrace_classify(status)) {
		case STOP_SYSCALL:
			thread->syscall_stop = true;
			return 0;
		case STOP_EVENT:
		case STOP_CHILD:
			break;
		case STOP_SIGNAL:
			thread->held_signo = WSTOPSIG(status);
			break;
		default:
			return fail(EIO, "thread %d: unexpected stop %#x", thread->tid, status);
		}
	}
}

static int call_between_stops(struct remote_thread *thread, long *ret, long nr, const uint64_t args[6])
{
	struct remote_process *process = thread->process;
	struct user_regs_struct regs = thread->resume_regs;
	uint64_t insn;
	int err = 0;

	if (!process->puppet && !thread->masked) {
		err = install_stub(thread);
		if (!err)
			err = remote_park(thread, process->stub);
	}
	insn = process->puppet ? process->syscall_insn.v : thread->stub.v + arch_stub_offset(ARCH_STUB_SYSCALL);
	arch_set_syscall(&regs, insn, nr, args);
	if (!err)
		err = ptrace_set_regs(thread->tid, &regs);
	if (!err)
		err = run_to_syscall_stop(thread);
	if (!err)
		err = run_to_syscall_stop(thread);
	if (!err)
		err = ptrace_get_regs(thread->tid, &regs);
	if (err)
		return err;
	*ret = arch_syscall_ret(&regs);
	if (!process->puppet) {
		regs = parked_regs(thread);
		err = ptrace_set_regs(thread->tid, &regs);
	}
	return err;
}

/* --- one call of a confined thread ------------------------------------------------ */

struct call {
	long nr;
	const uint64_t *args;
};

static int prepare_call(struct nap_run *run)
{
	const struct call *call = run->arg;
	struct remote_thread *thread = run->thread;
	uint64_t stub = thread->process->stub.v;

	run->regs = thread->resume_regs;
	arch_set_syscall(&run->regs, stub + arch_stub_offset(ARCH_STUB_CALL), call->nr, call->args);
	run->go.v = stub + arch_stub_offset(ARCH_STUB_CALL_GO);
	run->stub = (struct remote_range){ stub, arch_stub_bytes(false) };
	/* Behind the call, before its result is saved, it counts as done: repeated it could map twice. */
	run->done_from = stub + arch_stub_offset(ARCH_STUB_CALL_RET);
	run->done_to = stub + arch_stub_offset(ARCH_STUB_CALL_END);
	return install_stub(thread);
}

static int call_and_nap(struct remote_thread *thread, long *ret, long nr, const uint64_t args[6])
{
	struct call call = { nr, args };
	struct nap_run run = { .thread = thread, .prepare = prepare_call, .arg = &call };
	int err = remote_unpark(thread);

	if (!err)
		err = nap_run(&run);
	if (!err)
		*ret = arch_stub_call_ret(&run.regs, thread->process->stub.v);
	return err;
}

int remote_call_args(struct remote_thread *thread, long *ret, long nr, const uint64_t args[6])
{
	struct remote_addr stub = thread->stub.v ? thread->stub : thread->process->stub;

	if (thread->process->puppet || is_harmless_in(thread, stub, nr, args))
		return call_between_stops(thread, ret, nr, args);
	return call_and_nap(thread, ret, nr, args);
}

/* --- open and close -------------------------------------------------------- */

/*
 * A signal nobody would notice: default-ignored or ignored, and not queued
 * already. SIGCHLD is left alone: a real one could come meanwhile.
 */
static int choose_end_signo(const struct remote_process *process)
{
	static const int default_ignored[] = { SIGURG, SIGWINCH };
	uint64_t taken = process->status.sig_caught;

	for (size_t i = 0; i < process->n_threads; i++)
		taken |= process->threads[i].pending;
	for (size_t i = 0; i < ARRAY_SIZE(default_ignored); i++)
		if (!(taken & SIGBIT(default_ignored[i])))
			return default_ignored[i];
	for (int signo = 1; signo <= 64; signo++)
		if (signo != SIGCHLD && (process->status.sig_ignored & ~taken & SIGBIT(signo)))
			return signo;
	return 0;
}

static void assign_slots(struct remote_process *process)
{
	for (size_t i = 0; i < process->n_threads; i++)
		process->threads[i].slot = remote_addr_at(process->scratch, i * REMOTE_SLOT_BYTES);
}

/*
 * The stub names the area before it exists, so that it is known as ours (remote_is_leftover()) whenever criu is
 * killed. A place by chance, far from where the kernel maps what programs ask for: nobody else will map as much there.
 */
static int choose_place(struct remote_process *process)
{
	uint64_t noise;

	if (getrandom(&noise, sizeof(noise), 0) != sizeof(noise))
		return fail_errno("no random number");
	process->scratch_wanted.v = ARCH_TASK_SIZE / 4 + noise % (ARCH_TASK_SIZE / 4);
	process->scratch_wanted.v &= ~(REMOTE_SLOT_BYTES - 1);
	return 0;
}

static int map_scratch(struct remote_process *process, long *ret_addr)
{
	const uint64_t prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	int err = 0;

	*ret_addr = -EEXIST;
	for (int i = 0; !err && *ret_addr == -EEXIST && i < PLACE_TRIES; i++) {
		err = choose_place(process);
		if (!err)
			err = remote_call(process->driver, ret_addr, SYS_mmap, process->scratch_wanted.v,
					  process->scratch_bytes, prot, flags, -1, 0);
	}
	return err;
}

/* Claims go when another stub takes the place: the area says itself what it is. */
static int mark_scratch(struct remote_process *process)
{
	uint8_t code[ARCH_STUB_BYTES_MAX] = { 0 };

	arch_stub_build(code, &process->driver->resume_regs, process->driver->sigmask, false);
	return remote_write(process, process->scratch, code, arch_stub_bytes(false));
}

int remote_open(struct remote_process *process)
{
	long addr;
	int err;

	err = remote_place_stub(process);
	if (err)
		return err;
	process->driver = &process->threads[0];
	for (size_t i = process->n_threads; i-- > 0;) {
		process->threads[i].confined = is_confined(&process->threads[i]);
		if (!process->threads[i].confined)
			process->driver = &process->threads[i];
	}
	process->end_signo = choose_end_signo(process);

	process->scratch_bytes = process->n_threads * REMOTE_SLOT_BYTES;
	err = map_scratch(process, &addr);
	if (err)
		return err;
	if (addr == -EAGAIN)
		return fail(EBUSY,
			    "task %d: it locks all its memory (mlockall) and its limit RLIMIT_MEMLOCK has no room for "
			    "%zu bytes more: raise it with prlimit(1)",
			    process->pid, process->scratch_bytes);
	if (addr == -EACCES)
		return fail(ENOTSUP,
			    "task %d: it may not have memory that is both writable and executable (PR_SET_MDWE, or a "
			    "security module's policy): tasks like that can't be dumped; start the program without it",
			    process->pid);
	if (addr < 0 && addr > -4096)
		return fail(-addr, "task %d: cannot map %zu bytes of scratch memory in it", process->pid,
			    process->scratch_bytes);
	process->scratch.v = addr;
	assign_slots(process);
	return mark_scratch(process);
}

int remote_open_puppet(struct remote_process *process, struct remote_addr scratch_at, size_t n_slots)
{
	const uint64_t prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	long addr;
	int err;

	process->driver = &process->threads[0];
	process->end_signo = SIGURG;
	process->scratch_bytes = n_slots * REMOTE_SLOT_BYTES;
	err = remote_call(process->driver, &addr, SYS_mmap, scratch_at.v, process->scratch_bytes, prot, flags, -1, 0);
	if (err)
		return err;
	if ((uint64_t)addr != scratch_at.v)
		return fail(addr < 0 ? -addr : EEXIST, "puppet %d: cannot map its scratch area at %#lx", process->pid,
			    scratch_at.v);
	process->scratch = scratch_at;
	assign_slots(process);
	return 0;
}

static int unmap_scratch(struct remote_process *process)
{
	long ret;
	int err = remote_call(process->driver, &ret, SYS_munmap, process->scratch.v, process->scratch_bytes);

	if (!err && ret < 0)
		err = fail(-ret, "task %d: cannot unmap the scratch area", process->pid);
	if (!err)
		process->scratch.v = 0;
	return err;
}

static int close_puppet(struct remote_process *process)
{
	return process->scratch.v ? unmap_scratch(process) : 0;
}

int remote_close(struct remote_process *process)
{
	static const uint8_t clean[ARCH_STUB_BYTES_MAX];
	struct remote_thread *driver = process->driver;
	int err = 0;

	if (!driver)
		return 0;
	if (process->puppet)
		return close_puppet(process);
	for (size_t i = 0; !err && i < process->n_threads; i++)
		if (&process->threads[i] != driver)
			err = remote_unpark(&process->threads[i]);
	if (!err && process->scratch.v) {
		/* Its slot goes with the scratch area: heal from the vdso again. */
		if (driver->masked)
			err = remote_park(driver, process->stub);
		if (!err)
			err = unmap_scratch(process);
	}
	if (!err)
		err = remote_unpark(driver);
	if (!err)
		err = remote_write_stub(process, clean, arch_stub_bytes(false));
	if (!err)
		process->driver = NULL;
	return err;
}
