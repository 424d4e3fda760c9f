/*
 * Registers in images.
 *
 * What the kernel keeps: the general registers with segment selectors and
 * bases, and the extended state (xstate.c). All of it is seen and set from
 * outside.
 *
 * Refused: 32-bit tasks, segments of descriptor tables, shadow stacks, system
 * calls that are dispatched to user space (which kernels before 6.4 don't
 * show), I/O ports opened with ioperm(2). What iopl(2) has opened is lost, for
 * nothing shows it.
 */
#include "xstate.h"

#include <asm/ldt.h>
#include <elf.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "util/log.h"

#ifndef NT_X86_SHSTK
#define NT_X86_SHSTK 0x204
#endif

#ifndef NT_386_IOPERM
#define NT_386_IOPERM 0x201
#endif
#define IOPERM_BYTES 8192 /* a bit for each port */

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif

/* struct ptrace_sud_config of the kernel, 6.4 */
struct user_dispatch {
	uint64_t mode, selector, offset, bytes;
};

#define USER_CS	       0x33
#define USER_DS	       0x2b
#define USER_CS_IA32   0x23
#define SELECTOR_LDT   0x4
#define TLS_SLOT_FIRST 12
#define TLS_SLOT_LAST  14

/* --- seen from outside ------------------------------------------------------ */

static bool has_tls_descriptor(pid_t tid)
{
	for (long slot = TLS_SLOT_FIRST; slot <= TLS_SLOT_LAST; slot++) {
		struct user_desc desc = { 0 };

		if (ptrace(PTRACE_GET_THREAD_AREA, tid, slot, &desc) == 0 && (desc.base_addr || desc.limit))
			return true;
	}
	return false;
}

/* Most threads have no such register set. */
static bool has_ports(pid_t tid)
{
	char ports[IOPERM_BYTES];
	struct iovec iov = { ports, sizeof(ports) };

	return ptrace(PTRACE_GETREGSET, tid, NT_386_IOPERM, &iov) == 0 && iov.iov_len;
}

const char *arch_refusal(pid_t tid, const struct user_regs_struct *regs)
{
	const uint64_t selectors[] = { regs->cs, regs->ss, regs->ds, regs->es, regs->fs, regs->gs };
	struct user_dispatch dispatch = { 0 };
	uint64_t shadow_stack;
	struct iovec iov = { &shadow_stack, sizeof(shadow_stack) };

	if (regs->cs == USER_CS_IA32)
		return "is a 32-bit task, which cannot be saved: run the program's 64-bit build";
	for (size_t i = 0; i < ARRAY_SIZE(selectors); i++)
		if (selectors[i] & SELECTOR_LDT)
			return "uses a segment of its local descriptor table, which cannot be saved: "
			       "start the program without what needs it";
	if (has_tls_descriptor(tid))
		return "has 32-bit thread-local storage segments, which cannot be saved: clear them before the dump "
		       "(set_thread_area)";
	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_SHSTK, &iov) == 0)
		return "uses a shadow stack, which cannot be saved: start the program without it "
		       "(GLIBC_TUNABLES, glibc.cpu.hwcaps)";
	if (ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid, sizeof(dispatch), &dispatch) == 0 && dispatch.mode)
		return "has its system calls dispatched to user space, which cannot be saved: switch that off before "
		       "the "
		       "dump (PR_SET_SYSCALL_USER_DISPATCH)";
	if (has_ports(tid))
		return "has opened I/O ports (ioperm), which cannot be saved: close them before the dump";
	return NULL;
}

/* --- dump --------------------------------------------------------------------- */

static void dump_gpregs(UserX86RegsEntry *gp, const struct user_regs_struct *regs)
{
	gp->r15 = regs->r15;
	gp->r14 = regs->r14;
	gp->r13 = regs->r13;
	gp->r12 = regs->r12;
	gp->bp = regs->rbp;
	gp->bx = regs->rbx;
	gp->r11 = regs->r11;
	gp->r10 = regs->r10;
	gp->r9 = regs->r9;
	gp->r8 = regs->r8;
	gp->ax = regs->rax;
	gp->cx = regs->rcx;
	gp->dx = regs->rdx;
	gp->si = regs->rsi;
	gp->di = regs->rdi;
	gp->orig_ax = regs->orig_rax;
	gp->ip = regs->rip;
	gp->cs = regs->cs;
	gp->flags = regs->eflags;
	gp->sp = regs->rsp;
	gp->ss = regs->ss;
	gp->fs_base = regs->fs_base;
	gp->gs_base = regs->gs_base;
	gp->ds = regs->ds;
	gp->es = regs->es;
	gp->fs = regs->fs;
	gp->gs = regs->gs;
	gp->has_mode = true;
	gp->mode = USER_X86_REGS_MODE__NATIVE;
}

int arch_core_dump(CoreEntry *core, const struct user_regs_struct *regs, const struct arch_xstate *xstate,
		   void *(*alloc)(void *arg, size_t bytes), void *alloc_arg)
{
	const struct allocator allocator = { alloc, alloc_arg };
	ThreadInfoX86 *info = alloc(alloc_arg, sizeof(*info));
	UserX86RegsEntry *gp = alloc(alloc_arg, sizeof(*gp));
	UserX86FpregsEntry *fp = alloc(alloc_arg, sizeof(*fp));
	int err;

	thread_info_x86__init(info);
	user_x86_regs_entry__init(gp);
	user_x86_fpregs_entry__init(fp);
	dump_gpregs(gp, regs);
	err = xstate_dump(fp, xstate, &allocator);
	if (err)
		return err;
	info->gpregs = gp;
	info->fpregs = fp;
	core->mtype = ARCH_MTYPE;
	core->thread_info = info;
	return 0;
}

/* --- restore -------------------------------------------------------------------- */

static bool data_selector_ok(uint64_t selector)
{
	return selector == 0 || selector == USER_DS;
}

static int restore_gpregs(const UserX86RegsEntry *gp, struct user_regs_struct *regs)
{
	if (gp->has_mode && gp->mode != USER_X86_REGS_MODE__NATIVE)
		return fail(ENOTSUP, "The image is of a 32-bit task");
	if (gp->cs != USER_CS || gp->ss != USER_DS || !data_selector_ok(gp->ds) || !data_selector_ok(gp->es) ||
	    !data_selector_ok(gp->fs) || !data_selector_ok(gp->gs))
		return fail(EINVAL, "Bad segment selectors: cs %#lx ss %#lx ds %#lx es %#lx fs %#lx gs %#lx", gp->cs,
			    gp->ss, gp->ds, gp->es, gp->fs, gp->gs);
	if (gp->ip >= ARCH_TASK_SIZE || gp->fs_base >= ARCH_TASK_SIZE || gp->gs_base >= ARCH_TASK_SIZE)
		return fail(EINVAL, "Not a user address: ip %#lx fs_base %#lx gs_base %#lx", gp->ip, gp->fs_base,
			    gp->gs_base);
	*regs = (struct user_regs_struct){
		.r15 = gp->r15,
		.r14 = gp->r14,
		.r13 = gp->r13,
		.r12 = gp->r12,
		.rbp = gp->bp,
		.rbx = gp->bx,
		.r11 = gp->r11,
		.r10 = gp->r10,
		.r9 = gp->r9,
		.r8 = gp->r8,
		.rax = gp->ax,
		.rcx = gp->cx,
		.rdx = gp->dx,
		.rsi = gp->si,
		.rdi = gp->di,
		/* The new task is in no system call: the kernel must not restart one. */
		.orig_rax = (uint64_t)-1,
		.rip = gp->ip,
		.cs = gp->cs,
		.eflags = gp->flags,
		.rsp = gp->sp,
		.ss = gp->ss,
		.fs_base = gp->fs_base,
		.gs_base = gp->gs_base,
		.ds = gp->ds,
		.es = gp->es,
		.fs = gp->fs,
		.gs = gp->gs,
	};
	return 0;
}

int arch_core_restore(const CoreEntry *core, struct user_regs_struct *ret_regs, struct arch_xstate *ret_xstate)
{
	int err;

	if (core->mtype != ARCH_MTYPE || !core->thread_info)
		return fail(EINVAL, "The image has no x86-64 registers");
	err = restore_gpregs(core->thread_info->gpregs, ret_regs);
	return err ? err : xstate_restore(core->thread_info->fpregs, ret_xstate);
}
