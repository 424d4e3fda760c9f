/*
 * SO_PEERCRED. When two sockets are connected, the kernel remembers who did
 * that: process id, effective user and group, supplementary groups. They
 * can't be set, so a child with that process id and these ids does it. It keeps
 * its capabilities, and shares our table of descriptors, so that what it opens is ours.
 */
#include <grp.h>
#include <inttypes.h>
#include <linux/securebits.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "files/unix-sk.h"
#include "kernel/syscalls.h"

bool unix_creds_equal(const UnixCredsEntry *a, const UnixCredsEntry *b)
{
	if (!a || !b)
		return a == b;
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid && a->n_groups == b->n_groups &&
	       !memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups));
}

static int become(const UnixCredsEntry *creds)
{
	/* The C library would change all threads of the process that it takes this one for. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) ||
	    syscall(SYS_setgroups, creds->n_groups, creds->groups) || syscall(SYS_setresgid, -1, creds->gid, -1) ||
	    syscall(SYS_setresuid, -1, creds->uid, -1))
		return fail_errno("cannot become user %" PRIu32 ", group %" PRIu32 " to connect a socket", creds->uid,
				  creds->gid);
	return 0;
}

static long fork_as(pid_t pid)
{
	struct clone_args args = { .flags = CLONE_FILES };

	if (pid) {
		args.set_tid = (uintptr_t)&pid;
		args.set_tid_size = 1;
	}
	return sys_clone3(&args, sizeof(args));
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, __WALL) < 0)
		if (errno != EINTR)
			return fail_errno("waitpid");
	/* It has said why. */
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -ECHILD;
}

int unix_in_child(int (*step)(void *arg), void *arg)
{
	long child = fork_as(0);

	if (child < 0)
		return fail(-child, "cannot make a process to bind a socket");
	if (!child)
		_exit(step(arg) ? 1 : 0);
	return wait_for(child);
}

int unix_as(const UnixCredsEntry *creds, int (*step)(void *arg), void *arg)
{
	long child;

	if (!creds)
		return step(arg);
	child = fork_as(creds->pid);
	if (child == -EEXIST) {
		pr_warn("process %" PRIu32 " connected unix sockets of the tree and is not part of it: "
			"SO_PEERCRED shows another number from now on",
			creds->pid);
		child = fork_as(0);
	}
	if (child < 0)
		return fail(-child, "cannot make a process with number %" PRIu32 " to connect a socket", creds->pid);
	if (!child) {
		int err = become(creds);

		_exit(err || step(arg) ? 1 : 0);
	}
	return wait_for(child);
}
