/* ptrace(2) requests on one stopped thread; every failure is logged with the thread. */
#ifndef CRIU_REMOTE_PTRACE_H
#define CRIU_REMOTE_PTRACE_H

#include <linux/ptrace.h>
#include <stdbool.h>
#include <sys/user.h>

#include "arch.h"
#include "remote/types.h"

/** ptrace_request - the bare call: >= 0 or -errno, nothing logged. */
long ptrace_request(int request, pid_t tid, uint64_t addr, uint64_t data);

int must_check ptrace_get_regs(pid_t tid, struct user_regs_struct *ret);
int must_check ptrace_set_regs(pid_t tid, const struct user_regs_struct *regs);
int must_check ptrace_get_xstate(pid_t tid, struct arch_xstate *ret);
int must_check ptrace_set_xstate(pid_t tid, const struct arch_xstate *xstate);
int must_check ptrace_get_sigmask(pid_t tid, uint64_t *ret);
int must_check ptrace_set_sigmask(pid_t tid, uint64_t mask);
int must_check ptrace_cont(pid_t tid, int signo);

/* What a wait status of a traced thread says. */
enum ptrace_stop {
	STOP_GONE,    /* exited or killed */
	STOP_EVENT,   /* PTRACE_EVENT_STOP: interrupted or group-stopped */
	STOP_CHILD,   /* PTRACE_EVENT_CLONE, FORK or VFORK */
	STOP_SYSCALL, /* entry or exit, TRACESYSGOOD */
	STOP_SIGNAL,  /* signal-delivery-stop */
	STOP_OTHER,
};
enum ptrace_stop ptrace_classify(int status);

/**
 * ptrace_wait - next stop of @tid
 * Return: 0 and the wait status; -ESRCH if it is gone (status stored too);
 * -ETIMEDOUT when the caller's alarm deadline passed; logged.
 */
int must_check ptrace_wait(pid_t tid, int *ret_status);

/*
 * A deadline for every ptrace_wait() of this process, 0 to end it. Without one a thread
 * that sleeps uninterruptibly would keep us for ever.
 */
void ptrace_deadline(unsigned int seconds);

#endif
