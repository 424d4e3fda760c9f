/* Classic BPF programs as seccomp runs them, on a call that is only thought of. */
#ifndef CRIU_REMOTE_BPF_H
#define CRIU_REMOTE_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "util/macros.h"

/**
 * bpf_run - what a seccomp filter answers to a call
 * @code: as PTRACE_SECCOMP_GET_FILTER gives it; not trusted
 * Return: 0 and the value of its BPF_RET; -EINVAL for a program that is none (nothing is logged).
 */
int must_check bpf_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data, uint32_t *ret);

#endif
