/*
 * System calls the C library has no wrapper for. All return a value >= 0 or a
 * negative errno, and log nothing.
 */
#ifndef CRIU_KERNEL_SYSCALLS_H
#define CRIU_KERNEL_SYSCALLS_H

#include <linux/sched.h>
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

/* Whole transfer or a negative errno. */
int sys_vm_read(pid_t pid, uint64_t addr, void *buf, size_t bytes);
int sys_vm_write(pid_t pid, uint64_t addr, const void *buf, size_t bytes);

#endif
