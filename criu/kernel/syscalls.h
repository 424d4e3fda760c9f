/*
 * System calls the C library has no wrapper for. All return a value >= 0 or a
 * negative errno, and log nothing.
 */
#ifndef CRIU_KERNEL_SYSCALLS_H
#define CRIU_KERNEL_SYSCALLS_H

#include <linux/sched.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/macros.h"

long sys_clone3(const struct clone_args *args, size_t bytes);
int sys_pidfd_open(pid_t pid, unsigned int flags);
int sys_pidfd_getfd(int pidfd, int fd);
int sys_pidfd_send_signal(int pidfd, int signo);

/** sys_kcmp - 0 equal, 1 less, 2 greater, 3 unordered; kcmp(2). */
int sys_kcmp(pid_t pid1, pid_t pid2, int type, unsigned long idx1, unsigned long idx2);

int sys_get_robust_list(pid_t tid, uint64_t *ret_head, uint64_t *ret_bytes);
int sys_ioprio_get(pid_t tid);

/* struct sched_attr of the kernel, sched_setattr(2); before 5.3 without the last two */
struct kernel_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* runtime of an ordinary policy: its time slice, since 6.12 */
	uint32_t util_min, util_max;
};

/** sys_sched_getattr, sys_sched_setattr - @tid 0: the caller; size is set here, what the kernel does not know is 0. */
int sys_sched_getattr(pid_t tid, struct kernel_sched_attr *ret);
int sys_sched_setattr(pid_t tid, struct kernel_sched_attr *attr);

/* Whole transfer or a negative errno. */
int sys_vm_read(pid_t pid, uint64_t addr, void *buf, size_t bytes);
int sys_vm_write(pid_t pid, uint64_t addr, const void *buf, size_t bytes);

#endif
