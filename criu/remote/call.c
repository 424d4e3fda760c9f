#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "remote/call.h"
#include "remote/ptrace.h"
#include "remote/stop.h"
#include "stub.h"
#include "util/log.h"

#define ALL_SIGNALS   (~0ULL)
#define SIGBIT(signo) (1ULL << ((signo)-1))

/* --- where the stub goes -------------------------------------------------- */

static int find_vdso(struct remote_process *process, uint64_t *ret)
{
	auto_free char *auxv = NULL;
	proc_maps maps = { 0 };
	size_t bytes;
	int err;

	err = proc_read_file(process->pid, "auxv", &auxv, &bytes);
	if (err)
		return err;
	*ret = 0;
	for (const Elf64_auxv_t *aux = (void *)auxv; (char *)(aux + 1) <= auxv + bytes; aux++)
		if (aux->a_type == AT_SYSINFO_EHDR)
			*ret = aux->a_un.a_val;
	if (*ret)
		return 0;
	err = proc_read_maps(process->pid, false, &maps);
	for (size_t i = 0; !err && i < maps.n; i++)
		if (!strcmp(maps.data[i].name, "[vdso]"))
			*ret = maps.data[i].start;
	proc_maps_free(&maps);
	return err;
}

/* What the vdso's file uses of its mapping: up to its section headers, which come last. */
static int vdso_end(struct remote_process *process, uint64_t vdso, uint64_t *ret)
{
	Elf64_Ehdr elf;
	int err = sys_vm_read(process->pid, vdso, &elf, sizeof(elf));

	if (err || memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_shnum > 64 || elf.e_shoff > 16 * PAGE_BYTES)
		return fail(ENOTSUP, "task %d: has no vdso: it can't be driven safely", process->pid);
	*ret = vdso + elf.e_shoff + elf.e_shnum * sizeof(Elf64_Shdr);
	return 0;
}

/*
 * A stub that a dead tracer left may still have a thread on its way out, deep
 * in a signal handler: prefer a place that is clean.
 */
static int place_stub(struct remote_process *process)
{
	static const uint8_t clean[ARCH_STUB_BYTES_MAX];
	uint8_t found[ARCH_STUB_BYTES_MAX];
	uint64_t vdso = 0, end = 0;
	int err;

	err = find_vdso(process, &vdso);
	if (!err)
		err = vdso_end(process, vdso, &end);
	if (err)
		return err;

	uint64_t first = (end + 63) & ~63UL, limit = round_up_pages(end);

	if (first + ARCH_STUB_BYTES_MAX > limit)
		return fail(ENOTSUP, "task %d: its vdso has no room left: it can't be driven safely", process->pid);
	process->stub.v = first;
	for (uint64_t at = first; at + ARCH_STUB_BYTES_MAX <= limit; at += ARCH_STUB_BYTES_MAX) {
		err = remote_read(process, (struct remote_addr){ at }, found, sizeof(found));
		if (err)
			return err;
		if (!memcmp(found, clean, sizeof(clean))) {
			process->stub.v = at;
			return 0;
		}
	}
	return 0;
}

/* The vdso is not writable: /proc/PID/mem gives the target a copy of the page, as a debugger's breakpoint does. */
static int write_stub(struct remote_process *process, const void *bytes, size_t n)
{
	int fd = remote_mem_fd(process);

	if (fd < 0)
		return fd;
	if (pwrite(fd, bytes, n, process->stub.v) != (ssize_t)n)
		return fail_errno("task %d: cannot write to its vdso", process->pid);
	return 0;
}

static int install_stub(struct remote_thread *driver)
{
	uint8_t code[ARCH_STUB_BYTES_MAX] = { 0 };

	arch_stub_build(code, &driver->resume_regs, driver->sigmask, false);
	return write_stub(driver->process, code, arch_stub_bytes(false));
}

/* --- parking --------------------------------------------------------------- */

static struct user_regs_struct parked_regs(const struct remote_thread *thread)
{
	struct user_regs_struct regs = thread->resume_regs;

	regs.rip = thread->stub.v + arch_stub_offset(thread->confined ? ARCH_STUB_HEAL_REGS : ARCH_STUB_HEAL);
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
	if (!err && !thread->confined)
		err = ptrace_set_sigmask(thread->tid, ALL_SIGNALS);
	return err;
}

/*
 * From a syscall stop the kernel may not look at restart codes again: bring
 * the thread, still parked, to an event stop first.
 */
static int to_event_stop(struct remote_thread *thread)
{
	int err, status;

	err = ptrace_request(PTRACE_INTERRUPT, thread->tid, 0, 0);
	if (err)
		return fail(-err, "thread %d: cannot interrupt it", thread->tid);
	do {
		err = ptrace_cont(thread->tid, 0);
		if (!err)
			err = ptrace_wait(thread->tid, &status);
		if (!err && ptrace_classify(status) == STOP_SIGNAL)
			thread->held_signo = WSTOPSIG(status);
	} while (!err && ptrace_classify(status) != STOP_EVENT);
	thread->syscall_stop = false;
	return err;
}

int remote_unpark(struct remote_thread *thread)
{
	int err = 0;

	if (!thread->stub.v)
		return 0;
	if (thread->syscall_stop)
		err = to_event_stop(thread);
	if (!err && !thread->confined)
		err = ptrace_set_sigmask(thread->tid, thread->sigmask);
	if (!err)
		err = ptrace_set_regs(thread->tid, &thread->stop_regs);
	if (!err)
		thread->stub.v = 0;
	return err;
}

/* --- one call ---------------------------------------------------------------- */

/* Run the thread to its next syscall stop. 1: a signal came first and waits to be delivered. */
static int run_to_syscall_stop(struct remote_thread *thread, int *ret_signo)
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
			if (thread->confined) {
				*ret_signo = WSTOPSIG(status);
				return 1;
			}
			thread->held_signo = WSTOPSIG(status);
			break;
		default:
			return fail(EIO, "thread %d: unexpected stop %#x", thread->tid, status);
		}
	}
}

/* A confined thread can't have its signals blocked: let it take the signal, then stop it anew. */
static int take_signal(struct remote_thread *thread, int signo)
{
	uint8_t code[ARCH_STUB_BYTES_MAX] = { 0 };
	struct remote_addr stub = thread->stub;
	int err, status;

	err = ptrace_set_regs(thread->tid, &thread->stop_regs);
	if (!err)
		err = ptrace_request(PTRACE_INTERRUPT, thread->tid, 0, 0);
	if (!err)
		err = ptrace_cont(thread->tid, signo);
	do {
		if (!err)
			err = ptrace_wait(thread->tid, &status);
		if (!err && ptrace_classify(status) == STOP_SIGNAL)
			err = ptrace_cont(thread->tid, WSTOPSIG(status));
	} while (!err && ptrace_classify(status) != STOP_EVENT);
	thread->syscall_stop = false;
	if (!err)
		err = stop_read(thread);
	if (err)
		return err;
	arch_stub_build(code, &thread->resume_regs, thread->sigmask, false);
	if (stub.v == thread->process->stub.v)
		err = write_stub(thread->process, code, arch_stub_bytes(false));
	else
		err = remote_write(thread->process, stub, code, arch_stub_bytes(false));
	return err ? err : remote_park(thread, stub);
}

static int try_call(struct remote_thread *thread, long *ret, long nr, const uint64_t args[6], int *ret_signo)
{
	struct remote_process *process = thread->process;
	uint64_t insn =
		process->puppet ? process->syscall_insn.v : thread->stub.v + arch_stub_offset(ARCH_STUB_SYSCALL);
	struct user_regs_struct regs = thread->resume_regs;
	int err;

	arch_set_syscall(&regs, insn, nr, args);
	err = ptrace_set_regs(thread->tid, &regs);
	if (!err)
		err = run_to_syscall_stop(thread, ret_signo);
	if (!err)
		err = run_to_syscall_stop(thread, ret_signo);
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

int remote_call_args(struct remote_thread *thread, long *ret, long nr, const uint64_t args[6])
{
	enum { TRIES = 20 };
	int err = 0, signo = 0;

	for (int i = 0; i < TRIES; i++) {
		err = try_call(thread, ret, nr, args, &signo);
		if (err <= 0)
			return err;
		err = take_signal(thread, signo);
		if (err)
			return err;
	}
	return fail(EAGAIN, "thread %d: signals keep arriving", thread->tid);
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

int remote_open(struct remote_process *process)
{
	const uint64_t prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	long addr;
	int err;

	process->driver = &process->threads[0];
	for (size_t i = process->n_threads; i-- > 0;)
		if (!process->threads[i].confined)
			process->driver = &process->threads[i];
	process->end_signo = choose_end_signo(process);
	err = place_stub(process);
	if (!err)
		err = install_stub(process->driver);
	if (!err)
		err = remote_park(process->driver, process->stub);
	if (err)
		return err;

	process->scratch_bytes = process->n_threads * REMOTE_SLOT_BYTES;
	err = remote_call(process->driver, &addr, SYS_mmap, 0, process->scratch_bytes, prot, flags, -1, 0);
	if (err)
		return err;
	if (addr < 0 && addr > -4096)
		return fail(-addr, "task %d: cannot map %zu bytes of scratch memory in it", process->pid,
			    process->scratch_bytes);
	process->scratch.v = addr;
	assign_slots(process);
	return 0;
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
		err = remote_park(driver, process->stub);
		if (!err)
			err = unmap_scratch(process);
	}
	if (!err)
		err = remote_unpark(driver);
	if (!err)
		err = write_stub(process, clean, arch_stub_bytes(false));
	if (!err)
		process->driver = NULL;
	return err;
}

/* --- what killed predecessors left -------------------------------------------- */

/* Scratch areas that lie side by side look like one mapping, each slot with its stub. */
bool remote_is_leftover(const struct remote_process *process, const struct proc_map *map)
{
	uint8_t code[ARCH_STUB_BYTES_MAX];

	return map->read && map->write && map->exec && !map->shared && !map->name[0] &&
	       !((map->end - map->start) % REMOTE_SLOT_BYTES) &&
	       !sys_vm_read(process->pid, map->start, code, sizeof(code)) && arch_stub_is(code);
}

void remote_note_leftover(struct remote_process *process, const struct proc_map *map)
{
	VEC_PUSH(&process->leftovers, ((struct remote_range){ map->start, map->end - map->start }));
}

static bool is_executing_in(const struct remote_process *process, const struct remote_range *range)
{
	for (size_t i = 0; i < process->n_threads; i++)
		if (process->threads[i].stop_regs.rip - range->start < range->bytes)
			return true;
	return false;
}

int remote_drop_leftovers(struct remote_process *process)
{
	int err = 0;

	for (size_t i = 0; !err && i < process->leftovers.n; i++) {
		const struct remote_range *range = &process->leftovers.data[i];
		long ret;

		if (is_executing_in(process, range))
			continue;
		err = remote_call(process->driver, &ret, SYS_munmap, range->start, range->bytes);
		if (!err && !ret)
			pr_info("task %d: unmapped %lu bytes that a killed criu left in it", process->pid,
				range->bytes);
	}
	return err;
}
