/* The rows of the table in task.c, each beside its functions, and what several of them need. */
#ifndef CRIU_TASK_ATTRS_H
#define CRIU_TASK_ATTRS_H

#include "task/task.h"

extern const struct task_attr task_registers;
extern const struct task_attr task_state;
extern const struct task_attr task_sigactions;
extern const struct task_attr task_altstack;
extern const struct task_attr task_mm_flags;
extern const struct task_attr task_sched;
extern const struct task_attr task_autogroup;
extern const struct task_attr task_policy;
extern const struct task_attr task_mempolicy;
extern const struct task_attr task_thread;
extern const struct task_attr task_pending;
extern const struct task_attr task_posix_timers;
extern const struct task_attr task_limits;
extern const struct task_attr task_no_new_privs;
extern const struct task_attr task_seccomp;
extern const struct task_attr task_creds;
extern const struct task_attr task_after_creds;
extern const struct task_attr task_itimers;
extern const struct task_attr task_keys;
extern const struct task_attr task_landlock;
extern const struct task_attr task_pkeys;

/* A signal in the masks of the kernel and of /proc/PID/status: bit 0 is signal 1. */
static inline uint64_t signo_bit(int signo)
{
	return 1UL << (signo - 1);
}

/**
 * task_image_tid - the id a thread has in the image, which is the one it knows itself by
 * @tid: as we see it
 * Return: the id; @tid itself if it is none of the process's threads.
 */
pid_t task_image_tid(const struct task_ctx *ctx, pid_t tid);

/** task_extra_entry - what of a leader's image mainline does not know, made on first use. */
TaskExtraEntry *task_extra_entry(struct model *model, TaskCoreEntry *tc);

/** thread_extra_entry - the same of a thread's image. */
ThreadExtraEntry *thread_extra_entry(struct model *model, ThreadCoreEntry *thread_core);

/**
 * task_timer_resends - does restoring the timers of @tc bring back the pending @signal?
 *
 * A repeating timer counts what it misses while its signal is pending, which
 * the kernel only does for a signal of its own making.
 */
bool task_timer_resends(const TaskCoreEntry *tc, const SiginfoEntry *signal);

/** state_dump_stop - a stopped process's state, with the signal and whether its parent has seen the stop. */
void state_dump_stop(const struct remote_process *process, struct model *model, TaskCoreEntry *tc);

/** creds_entry_new - credentials as /proc/PID/status shows them; the securebits, which it does not show, are 0. */
CredsEntry *creds_entry_new(struct model *model, const struct proc_status *status);

/** creds_are_same - do two tasks have the same credentials, as far as /proc/PID/status shows them? */
bool creds_are_same(const struct proc_status *a, const struct proc_status *b);

/** creds_check - refuse an entry of an image that can't be what a kernel gave. */
int must_check creds_check(const CredsEntry *creds);

/** task_timers_entry - the timers of a leader's image, made on first use. */
TaskTimersEntry *task_timers_entry(struct task_ctx *ctx);

#endif
