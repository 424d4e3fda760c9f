/*
 * Puppets: tasks that restore builds. A puppet starts as a fork of ours or of
 * another puppet, with the PID it is to have, stopped before it runs an
 * instruction of its own; then everything in it is replaced by remote calls.
 * It dies with us until puppet_commit().
 */
#ifndef CRIU_REMOTE_PUPPET_H
#define CRIU_REMOTE_PUPPET_H

#include "remote/process.h"

struct puppet_spec {
	pid_t pid;	      /* wanted PID */
	uint64_t clone_flags; /* of CLONE_PARENT, CLONE_FILES, CLONE_FS */
	int exit_signo;	      /* what the parent is told its end with; 0: nothing */
};

/**
 * puppet_make_root - fork a puppet from this process
 * Return: 0 and the puppet, seized, its signals blocked, its C library's rseq
 * area unregistered; -EEXIST if the PID is taken; logged.
 */
int must_check puppet_make_root(const struct puppet_spec *spec, struct remote_process **ret);

/**
 * puppet_make_child - fork a puppet from @parent, with all it has at the moment
 * The scratch area of @parent is inherited, as a copy, at the same address.
 */
int must_check puppet_make_child(struct remote_process *parent, const struct puppet_spec *spec,
				 struct remote_process **ret);

/** puppet_make_threads - @n more threads with exactly these TIDs; the scratch area has slots for them. */
int must_check puppet_make_threads(struct remote_process *process, const pid_t *tids, size_t n);

/** puppet_exit - let a helper end; it must be reaped by its parent with puppet_reap(). Frees nothing. */
int must_check puppet_exit(struct remote_process *process);
int must_check puppet_reap(struct remote_process *parent, pid_t child);

/** puppet_exit_with - the process exits or kills itself so that its wait status is @status (a zombie to be). */
int must_check puppet_exit_with(struct remote_process *process, int status);

/**
 * puppet_group_stop - bring a puppet into a group stop by @signo, in which it stays when it is let go
 * @signo: SIGSTOP or one of the terminal's stop signals, not handled or ignored by the puppet
 *
 * The last thing before its registers: its scratch area is closed. Its parent, which is
 * told of it, must still be a working puppet, or criu. In an orphaned process
 * group only SIGSTOP stops: that is taken then.
 */
int must_check puppet_group_stop(struct remote_process *process, int signo);

/** puppet_wait_stopped - have @parent wait for the stop of @child, which it has seen before. */
int must_check puppet_wait_stopped(struct remote_process *parent, pid_t child);

/**
 * puppet_commit - from here on the death of criu is a release: PTRACE_O_EXITKILL is cleared
 */
int must_check puppet_commit(struct remote_process *process);

#endif
