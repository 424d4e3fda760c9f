/*
 * Numbered timeline of the freeze race that stop_read() mends:
 *
 *  1. thread T sleeps in epoll_wait(), no signal pending
 *  2. we PTRACE_INTERRUPT it; the sleep ends as if by a signal
 *  3. epoll_wait() returns -EINTR, which no restart logic of the kernel undoes
 *  4. T stops on its way to user mode with rax = -EINTR, orig_rax = 232
 *
 * If no signal that T would take is pending, the EINTR is our doing and T is
 * put back before the call.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/syscalls.h"
#include "remote/ptrace.h"
#include "remote/stop.h"
#include "stub.h"
#include "util/log.h"

#define SYSCALL_INSN_BYTES 2

/* In-kernel codes of an interrupted call, include/linux/errno.h */
#define ERESTARTSYS	      512
#define ERESTARTNOINTR	      513
#define ERESTARTNOHAND	      514
#define ERESTART_RESTARTBLOCK 516

/* Calls that answer EINTR to a stop although no handler ran: signal(7). */
static const int eintr_calls[] = {
	SYS_read,	  SYS_readv,	       SYS_write,	 SYS_writev,	    SYS_recvfrom,   SYS_recvmsg,
	SYS_recvmmsg,	  SYS_sendto,	       SYS_sendmsg,	 SYS_sendmmsg,	    SYS_accept,	    SYS_accept4,
	SYS_semop,	  SYS_semtimedop,      SYS_msgrcv,	 SYS_msgsnd,	    SYS_epoll_wait, SYS_epoll_pwait,
	SYS_epoll_pwait2, SYS_rt_sigtimedwait, SYS_io_getevents, SYS_io_pgetevents,
};

static bool is_eintr_call(long nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(eintr_calls); i++)
		if (eintr_calls[i] == nr)
			return true;
	return false;
}

static void restart_call(struct user_regs_struct *regs, long nr)
{
	regs->rax = nr;
	regs->rip -= SYSCALL_INSN_BYTES;
	regs->orig_rax = -1;
}

/* What the kernel keeps at rseq_abi_addr and behind its rseq_cs pointer, linux/rseq.h */
struct rseq_area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
};

struct rseq_section {
	uint32_t version, flags;
	uint64_t start_ip, post_commit_offset, abort_ip;
};

/*
 * A thread stopped inside a restartable sequence must go on at its abort
 * handler: any change of rip by us makes the kernel forget the sequence.
 */
static int abort_rseq(struct remote_thread *thread)
{
	struct ptrace_rseq_configuration conf;
	struct rseq_area area;
	struct rseq_section section;
	pid_t pid = thread->process->pid;

	memset(&conf, 0, sizeof(conf));
	if (ptrace_request(PTRACE_GET_RSEQ_CONFIGURATION, thread->tid, sizeof(conf), (uintptr_t)&conf) < 0)
		return 0;
	thread->rseq = (struct remote_rseq){ conf.rseq_abi_pointer, conf.rseq_abi_size, conf.signature };
	if (!conf.rseq_abi_pointer || sys_vm_read(pid, conf.rseq_abi_pointer, &area, sizeof(area)) || !area.rseq_cs ||
	    sys_vm_read(pid, area.rseq_cs, &section, sizeof(section)))
		return 0;
	if (thread->stop_regs.rip - section.start_ip >= section.post_commit_offset)
		return 0;

	pr_debug("thread %d: was in a restartable sequence, goes to its abort handler", thread->tid);
	thread->stop_regs.rip = section.abort_ip;
	thread->stop_regs.orig_rax = -1;
	return ptrace_set_regs(thread->tid, &thread->stop_regs);
}

/* In the order of healing: until it has its own registers, it would set the mask itself. */
static int free_from_stub(struct remote_thread *thread)
{
	int err = ptrace_set_sigmask(thread->tid, thread->sigmask);

	return err ? err : ptrace_set_regs(thread->tid, &thread->stop_regs);
}

/* A former tracer died and the thread is on its way out of the stub it left. */
static int adopt_stub(struct remote_thread *thread)
{
	enum { BACK = ARCH_SLOT_CODE_BYTES };
	uint8_t code[2 * BACK];
	struct user_regs_struct *regs = &thread->stop_regs;
	uint64_t from = regs->rip - BACK;

	if (sys_vm_read(thread->process->pid, from, code, sizeof(code))) {
		/* At the edge of a mapping: our stubs never cross into the page before. */
		from = regs->rip & ~(PAGE_BYTES - 1);
		memset(code, 0, sizeof(code));
		if (regs->rip - from > BACK || sys_vm_read(thread->process->pid, from, code, BACK))
			return 0;
	}
	for (size_t i = 0; i <= BACK && from + i <= regs->rip; i++) {
		if (code[i] != 'c' || !arch_stub_is(code + i) || regs->rip - (from + i) >= arch_stub_bytes(true))
			continue;
		pr_info("thread %d: still healing from an earlier criu that was killed", thread->tid);
		arch_stub_adopt(code + i, regs, &thread->sigmask);
		return free_from_stub(thread);
	}
	return 0;
}

static int hide_eintr(struct remote_thread *thread)
{
	struct user_regs_struct *regs = &thread->stop_regs;
	bool signal_due = thread->pending & ~thread->sigmask;

	if ((long)regs->rax != -EINTR || (long)regs->orig_rax < 0 || !is_eintr_call(regs->orig_rax) || signal_due)
		return 0;
	restart_call(regs, regs->orig_rax);
	return ptrace_set_regs(thread->tid, regs);
}

int stop_read(struct remote_thread *thread)
{
	struct user_regs_struct *regs = &thread->stop_regs;
	int err;

	err = ptrace_get_regs(thread->tid, regs);
	if (!err)
		err = ptrace_get_sigmask(thread->tid, &thread->sigmask);
	if (!err)
		err = abort_rseq(thread);
	if (!err)
		err = adopt_stub(thread);
	if (!err)
		err = hide_eintr(thread);
	if (err)
		return err;

	thread->resume_regs = *regs;
	if ((long)regs->orig_rax >= 0) {
		long code = -(long)regs->rax;

		if (code == ERESTARTSYS || code == ERESTARTNOINTR || code == ERESTARTNOHAND)
			restart_call(&thread->resume_regs, regs->orig_rax);
		else if (code == ERESTART_RESTARTBLOCK)
			restart_call(&thread->resume_regs, SYS_restart_syscall);
	}
	thread->resume_regs.orig_rax = -1;
	return 0;
}

/* --- stopping ------------------------------------------------------------------------ */

int stop_interrupt(pid_t tid)
{
	long err = ptrace_request(PTRACE_INTERRUPT, tid, 0, 0);

	return err && err != -ESRCH ? fail(-err, "thread %d: cannot interrupt it", tid) : err;
}

/* The interrupt is consumed by any other stop: if a signal is delivered first, interrupt again. */
int stop_wait(pid_t tid, int *ret_status)
{
	for (;;) {
		enum ptrace_stop stop;
		long err = ptrace_wait(tid, ret_status);

		if (err)
			return err;
		stop = ptrace_classify(*ret_status);
		if (stop == STOP_EVENT)
			return 0;
		err = stop_interrupt(tid);
		if (!err)
			err = ptrace_request(PTRACE_CONT, tid, 0, stop == STOP_SIGNAL ? WSTOPSIG(*ret_status) : 0);
		if (err)
			return err == -ESRCH ? err : fail(-err, "thread %d: cannot be stopped", tid);
	}
}

void stop_note(struct remote_process *process, int status)
{
	if (WSTOPSIG(status) == SIGTRAP)
		return;
	process->state = REMOTE_STOPPED;
	process->stop_signo = WSTOPSIG(status);
}

static int read_pending(struct remote_thread *thread)
{
	struct proc_status status = { 0 };
	int err = proc_read_status(thread->process->pid, thread->tid, &status);

	if (!err)
		thread->pending = status.sig_pending | status.shared_pending;
	proc_status_free(&status);
	return err;
}

int stop_deliver(struct remote_thread *thread, int signo)
{
	int status, err = stop_interrupt(thread->tid);

	if (!err)
		err = ptrace_cont(thread->tid, signo);
	if (!err)
		err = stop_wait(thread->tid, &status);
	if (!err)
		err = read_pending(thread);
	if (err == -ESRCH)
		return fail(ESRCH, "thread %d: was killed from outside", thread->tid);
	if (err)
		return err;
	thread->syscall_stop = false;
	stop_note(thread->process, status);
	return stop_read(thread);
}

/* --- which call restart_syscall continues ------------------------------------------- */

/* The calls that use the kernel's restart block. */
static bool uses_restart_block(uint32_t nr)
{
	return nr == SYS_poll || nr == SYS_nanosleep || nr == SYS_futex || nr == SYS_clock_nanosleep;
}

/* C libraries load the number right before the call: mov $nr, %eax ... syscall */
static int call_in_code(const struct remote_thread *thread)
{
	enum { BACK = 24, MOV_EAX = 0xb8, MOV_BYTES = 5 };
	uint8_t code[BACK];
	uint32_t nr;

	if (sys_vm_read(thread->process->pid, thread->stop_regs.rip - SYSCALL_INSN_BYTES - BACK, code, BACK))
		return 0;
	for (int i = BACK - MOV_BYTES; i >= 0; i--) {
		memcpy(&nr, code + i + 1, sizeof(nr));
		if (code[i] == MOV_EAX && uses_restart_block(nr))
			return nr;
	}
	return 0;
}

static bool is_timespec(pid_t pid, uint64_t addr)
{
	struct timespec ts;

	return addr && !sys_vm_read(pid, addr, &ts, sizeof(ts)) && ts.tv_sec >= 0 &&
	       (unsigned long)ts.tv_nsec < 1000000000;
}

/* Otherwise the arguments, which are still in their registers, make sense for one of them only. */
static int call_of_arguments(const struct remote_thread *thread)
{
	enum { MAX_CLOCK_ID = 16, FUTEX_OPS = 512, MAX_POLL_FDS = 1 << 20 };
	const struct user_regs_struct *regs = &thread->stop_regs;
	pid_t pid = thread->process->pid;
	uint32_t word;

	if (regs->rdi < MAX_CLOCK_ID && !regs->rsi && is_timespec(pid, regs->rdx))
		return SYS_clock_nanosleep;
	if (regs->rsi < FUTEX_OPS && is_timespec(pid, regs->r10) && !sys_vm_read(pid, regs->rdi, &word, sizeof(word)) &&
	    word == (uint32_t)regs->rdx)
		return SYS_futex;
	if ((!regs->rsi || regs->rsi > MAX_POLL_FDS) && is_timespec(pid, regs->rdi))
		return SYS_nanosleep;
	if (regs->rsi <= MAX_POLL_FDS && regs->rdx <= INT32_MAX)
		return SYS_poll;
	return 0;
}

static long interrupted_call(const struct remote_thread *thread)
{
	int nr;

	if (thread->stop_regs.orig_rax != SYS_restart_syscall)
		return thread->stop_regs.orig_rax;
	nr = call_in_code(thread);
	return nr ? nr : call_of_arguments(thread);
}

void stop_image_regs(const struct remote_thread *thread, struct user_regs_struct *ret)
{
	*ret = thread->resume_regs;
	if ((long)thread->stop_regs.rax != -ERESTART_RESTARTBLOCK || (long)thread->stop_regs.orig_rax < 0)
		return;

	ret->rax = interrupted_call(thread);
	if (!ret->rax) {
		pr_warn("cannot tell which timed call the thread waits in; the call will end with EINTR");
		ret->rax = -EINTR;
		ret->rip += SYSCALL_INSN_BYTES;
	} else if (ret->rax == SYS_nanosleep && ret->rsi) {
		ret->rdi = ret->rsi;
	} else if (ret->rax == SYS_clock_nanosleep && ret->r10) {
		ret->rdx = ret->r10;
	}
}
