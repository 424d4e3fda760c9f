/*
 * What has to be mended in a thread because it was stopped, before anything
 * else is done to it: restartable sequences, interrupted system calls.
 */
#ifndef CRIU_REMOTE_STOP_H
#define CRIU_REMOTE_STOP_H

#include "remote/process.h"

/**
 * stop_read - registers, mask and rseq of a thread in an EVENT_STOP
 *
 * Fills stop_regs, resume_regs, sigmask, rseq. Aborts a restartable sequence the
 * thread was in, hides the EINTR that epoll_wait and its kin return
 * from a mere freeze, adopts the state of a thread found inside a stub that a
 * dead tracer left behind. thread->pending is set by the caller.
 */
int must_check stop_read(struct remote_thread *thread);

/** stop_interrupt - ask for an event stop; nothing is waited for. -ESRCH, not logged: the thread is gone. */
int must_check stop_interrupt(pid_t tid);

/**
 * stop_wait - the event stop of a thread that was interrupted; signals that come first are delivered
 * Return: 0 and the wait status; -ESRCH, not logged, if the thread is gone.
 */
int must_check stop_wait(pid_t tid, int *ret_status);

/**
 * stop_deliver - let a thread in a signal-delivery-stop have its signal, and stop it anew
 * @thread: has its own registers and mask; what is known of it is read again
 */
int must_check stop_deliver(struct remote_thread *thread, int signo);

/** stop_note - record in the process whether a wait status tells of a group stop. */
void stop_note(struct remote_process *process, int status);

/**
 * stop_image_regs - registers for an image: a call that waits starts again
 *
 * Unlike resume_regs this can't use the kernel's restart block. A sleep that
 * reports its remainder goes on with the remainder, which the kernel has written on our stop; other timed
 * waits get their full timeout again. A call that was interrupted before and is now inside
 * restart_syscall is recognised by the code around it or by its arguments.
 */
void stop_image_regs(const struct remote_thread *thread, struct user_regs_struct *ret);

#endif
