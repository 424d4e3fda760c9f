#ifndef ZDTM_STATIC_SECCOMP_RULES_H
#define ZDTM_STATIC_SECCOMP_RULES_H

/* Filters that let one system call fail with an errno of the test's choice. */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "zdtmtst.h"

/* Without privilege a filter needs no_new_privs; 0 or -1. @flags as for seccomp(2). */
static inline int seccomp_deny(int nr, int err, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err & SECCOMP_RET_DATA)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog) ? -1 : 0;
}

/* The errno of a call without arguments, 0 if it succeeds. */
static inline int seccomp_result(int nr)
{
	return syscall(nr, 0, 0, 0, 0, 0, 0) < 0 ? errno : 0;
}

#endif
