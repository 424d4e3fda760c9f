#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "remote/ptrace.h"
#include "util/log.h"

long ptrace_request(int request, pid_t tid, uint64_t addr, uint64_t data)
{
	long ret = syscall(SYS_ptrace, request, tid, addr, data);

	return ret < 0 ? -errno : ret;
}

static int request_logged(int request, pid_t tid, uint64_t addr, uint64_t data, const char *what)
{
	long ret = ptrace_request(request, tid, addr, data);

	return ret < 0 ? fail(-ret, "thread %d: cannot %s", tid, what) : 0;
}

int ptrace_get_regs(pid_t tid, struct user_regs_struct *ret)
{
	return request_logged(PTRACE_GETREGS, tid, 0, (uintptr_t)ret, "read its registers");
}

int ptrace_set_regs(pid_t tid, const struct user_regs_struct *regs)
{
	return request_logged(PTRACE_SETREGS, tid, 0, (uintptr_t)regs, "set its registers");
}

int ptrace_get_xstate(pid_t tid, struct arch_xstate *ret)
{
	struct iovec iov = { .iov_base = ret->data, .iov_len = sizeof(ret->data) };
	int err = request_logged(PTRACE_GETREGSET, tid, NT_X86_XSTATE, (uintptr_t)&iov, "read its FPU state");

	if (!err)
		ret->bytes = iov.iov_len;
	return err;
}

int ptrace_set_xstate(pid_t tid, const struct arch_xstate *xstate)
{
	struct iovec iov = { .iov_base = (void *)xstate->data, .iov_len = xstate->bytes };

	return request_logged(PTRACE_SETREGSET, tid, NT_X86_XSTATE, (uintptr_t)&iov, "set its FPU state");
}

int ptrace_get_sigmask(pid_t tid, uint64_t *ret)
{
	return request_logged(PTRACE_GETSIGMASK, tid, sizeof(*ret), (uintptr_t)ret, "read its signal mask");
}

int ptrace_set_sigmask(pid_t tid, uint64_t mask)
{
	return request_logged(PTRACE_SETSIGMASK, tid, sizeof(mask), (uintptr_t)&mask, "set its signal mask");
}

int ptrace_cont(pid_t tid, int signo)
{
	return request_logged(PTRACE_CONT, tid, 0, signo, "let it run");
}

enum ptrace_stop ptrace_classify(int status)
{
	if (!WIFSTOPPED(status))
		return STOP_GONE;
	switch (status >> 16) {
	case 0:
		return WSTOPSIG(status) == (SIGTRAP | 0x80) ? STOP_SYSCALL : STOP_SIGNAL;
	case PTRACE_EVENT_STOP:
		return STOP_EVENT;
	case PTRACE_EVENT_CLONE:
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
		return STOP_CHILD;
	default:
		return STOP_OTHER;
	}
}

/* The deadline is the remaining time of ITIMER_REAL's first expiry: kept by the kernel, not by us. */
/*
 * Also the way out of a deadlock with execve(2):
 *
 *  1. thread T executes a program; its siblings, traced by us, die and wait to be reaped
 *  2. T holds its cred_guard_mutex until they are
 *  3. we attach to T, which waits for that mutex and is restarted after every signal
 */
static void interrupt_wait(int signo)
{
	int before = errno;

	for (siginfo_t info = { 0 }; !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) && info.si_pid;)
		info.si_pid = 0;
	errno = before;
}

void ptrace_deadline(unsigned int seconds)
{
	struct sigaction action = { .sa_handler = interrupt_wait };
	struct itimerval timer = { .it_value.tv_sec = seconds, .it_interval.tv_usec = seconds ? 100000 : 0 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

int ptrace_wait(pid_t tid, int *ret_status)
{
	if (waitpid(tid, ret_status, __WALL) != tid) {
		if (errno == EINTR)
			return fail(ETIMEDOUT,
				    "thread %d did not stop in time: it may sleep uninterruptibly (see its wchan), or "
				    "be "
				    "in a frozen cgroup",
				    tid);
		if (errno == ECHILD)
			return -ESRCH;
		return fail_errno("thread %d: wait failed", tid);
	}
	return WIFSTOPPED(*ret_status) ? 0 : -ESRCH;
}
