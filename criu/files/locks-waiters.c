/*
 * Who waits for a lock of the tree, outside of it.
 *
 * When the tree is killed its locks are free. Whoever waits for one gets it, as if the tree had given it up, and may have it
 * when the tree wants it back. Nothing can be done about that, but it is told: when the dump is planned, and
 * once more right before the kill, for a dump may take long.
 *
 * /proc/locks shows with each lock those who wait, in trees: who waits behind somebody else may be kept out by the tree as
 * well. So what counts is whether the lock that is wanted goes with the one that the tree has. The file is told by the
 * numbers that both lists have, which are not always those of stat(2). A stopped task waits for nothing,
 * its call starts again when it goes on; of a tree that runs (criu inspect) they are told by their process.
 *
 * Who waits for an OFD lock is not named there, and of an flock whose taker is not seen nothing at all is shown: then the
 * system calls of all threads of the machine tell.
 *
 * Not seen: who waits for a lease that a process took which has ended, if criu is in a pid namespace; and who
 * is stopped while waiting.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "files/files-internal.h"
#include "files/locks.h"

/* A thread that sleeps in flock(2), or fcntl(2) with F_OFD_SETLKW. */
struct blocked_call {
	pid_t pid;
	enum proc_lock_kind kind;
	bool exclusive; /* of flock(2) */
	dev_t dev;
	ino_t ino;
};

typedef VEC(struct blocked_call) blocked_calls;

/* Told already: one line for a process and a file, however many locks are in its way. */
struct told_waiter {
	pid_t pid;
	struct proc_lock lock;
};

struct lock_waiters {
	VEC(struct told_waiter) told;
};

struct look {
	struct files_dump *ctx;
	proc_locks locks; /* of the machine */
	bool listed;	  /* the next one is filled */
	blocked_calls blocked;
};

/* --- calls that block -------------------------------------------------------------------- */

static bool is_lock_call(const struct proc_syscall *call, struct blocked_call *ret)
{
	if (call->nr == SYS_flock) {
		ret->kind = PROC_LOCK_FLOCK;
		ret->exclusive = call->args[1] & LOCK_EX;
		return true;
	}
	ret->kind = PROC_LOCK_OFD;
	return call->nr == SYS_fcntl && call->args[1] == F_OFD_SETLKW;
}

static void list_blocked_of(struct look *look, pid_t pid)
{
	pid_list threads;

	if (proc_list_threads(pid, &threads))
		return;
	for (size_t i = 0; i < threads.n; i++) {
		struct blocked_call found = { .pid = pid };
		struct proc_syscall call;
		struct stat st;
		char path[96];

		if (!proc_read_syscall(pid, threads.data[i], &call) || !is_lock_call(&call, &found))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", pid, threads.data[i], (int)call.args[0]);
		if (stat(path, &st))
			continue;
		found.dev = st.st_dev;
		found.ino = st.st_ino;
		VEC_PUSH(&look->blocked, found);
	}
	VEC_FREE(&threads);
}

static void list_blocked(struct look *look)
{
	DIR *proc = look->listed ? NULL : opendir("/proc");
	const struct dirent *entry;

	look->listed = true;
	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0)
			list_blocked_of(look, pid);
	}
	closedir(proc);
}

/* --- telling ------------------------------------------------------------------------------- */

static bool same_file_and_kind(const struct proc_lock *a, const struct proc_lock *b)
{
	return a->kind == b->kind && a->ino == b->ino && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

static bool is_told(struct files_dump_state *state, pid_t pid, const struct proc_lock *lock)
{
	for (size_t i = 0; i < state->lock_waiters->told.n; i++) {
		const struct told_waiter *told = &state->lock_waiters->told.data[i];

		if (told->pid == pid && same_file_and_kind(&told->lock, lock))
			return true;
	}
	VEC_PUSH(&state->lock_waiters->told, ((struct told_waiter){ pid, *lock }));
	return false;
}

static void tell(struct files_dump *ctx, const struct held_lock *held, pid_t pid)
{
	bool lease = held->lock.kind == PROC_LOCK_LEASE;
	auto_free char *who = NULL;

	if (files_process(ctx, pid) || is_told(ctx->state, pid, &held->lock))
		return;
	who = proc_owner_text(pid);
	LOG_SCOPE("task", held->entry->pid);
	LOG_SCOPE("fd", held->entry->fd);
	pr_warn("%s: %s, outside the tree, waits for the end of %s on it, and will take the kill of the tree for that; "
		"the "
		"tree can't be restored while it has the %s",
		held->name, who, locks_kind_name(held->lock.kind), lease ? "file open" : "lock");
}

/* Who waits, from the calls that block. Return: somebody does. */
static bool tell_blocked(struct look *look, const struct held_lock *held, enum proc_lock_kind kind)
{
	bool found = false;

	list_blocked(look);
	for (size_t i = 0; i < look->blocked.n; i++) {
		const struct blocked_call *call = &look->blocked.data[i];

		if (call->kind != kind || call->dev != held->dev || call->ino != held->ino)
			continue;
		if (kind == PROC_LOCK_FLOCK && !call->exclusive && held->lock.type != F_WRLCK)
			continue;
		found = true;
		tell(look->ctx, held, call->pid);
	}
	return found;
}

static void tell_waiters(struct look *look, const struct held_lock *held)
{
	if (held->lock.kind == PROC_LOCK_FLOCK && held->lock.pid <= 0)
		tell_blocked(look, held, PROC_LOCK_FLOCK);
	for (size_t i = 0; i < look->locks.n; i++) {
		const struct proc_lock *lock = &look->locks.data[i];

		if (!lock->waits || !proc_locks_conflict(&held->lock, lock))
			continue;
		if (lock->kind != PROC_LOCK_OFD || !tell_blocked(look, held, PROC_LOCK_OFD))
			tell(look->ctx, held, lock->pid > 0 ? lock->pid : 0);
	}
}

/* Most are locks of files nobody waits for: that makes the list short. */
static void keep_waiters(proc_locks *locks)
{
	size_t n = 0;

	for (size_t i = 0; i < locks->n; i++)
		if (locks->data[i].waits)
			locks->data[n++] = locks->data[i];
	locks->n = n;
}

void locks_tell_waiters(struct files_dump *ctx)
{
	struct look look = { .ctx = ctx };

	if (!ctx->state || !ctx->state->locks.n || ctx->options->final_state != FINAL_DEFAULT)
		return;
	if (!ctx->state->lock_waiters)
		ctx->state->lock_waiters = xalloc(sizeof(*ctx->state->lock_waiters));
	if (proc_read_locks(&look.locks))
		pr_warn("whether somebody outside the tree waits for its file locks can't be told");
	keep_waiters(&look.locks);
	for (size_t i = 0; i < ctx->state->locks.n; i++)
		tell_waiters(&look, &ctx->state->locks.data[i]);
	VEC_FREE(&look.locks);
	VEC_FREE(&look.blocked);
}

void locks_waiters_free(struct files_dump_state *state)
{
	if (state->lock_waiters)
		VEC_FREE(&state->lock_waiters->told);
	free(take_ptr(state->lock_waiters));
}
