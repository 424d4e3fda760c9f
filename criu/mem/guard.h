/*
 * The guard: a child of ours that outlives us when we are killed, and then
 * takes away what must not stay. It knows the temporary names and the System V
 * segments that exist at the moment and, once a dump has decided to commit,
 * which processes have to die and how the commit is finished; while a restore
 * lets go of its tasks, which of them have to die should it not get to the end.
 *
 * All functions accept a NULL guard and then do nothing (tests, tools).
 */
#ifndef CRIU_MEM_GUARD_H
#define CRIU_MEM_GUARD_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "util/macros.h"

struct guard;

/**
 * guard_start - fork the guard
 *
 * To be called early, while we are small and have neither threads nor descriptors of others. The guard
 * has its own session, no descriptor of ours and no terminal, and ends with us.
 */
int must_check guard_start(struct guard **ret);

/** guard_pid - its process id, which no restored task can have; 0 without a guard. */
pid_t guard_pid(const struct guard *guard);

enum guard_name_flags {
	GUARD_DIR = 1 << 0,	     /* removed with rmdir(2) */
	GUARD_UNTIL_COMMIT = 1 << 1, /* stays once guard_commit_begin() was called */
	GUARD_UNTIL_CANCEL = 1 << 2, /* stays once guard_commit_cancel() was called: what a restore makes for good */
	GUARD_FROM_CANCEL = 1 << 3,  /* stays until then */
};

/**
 * guard_name_add - from now on @path is removed if we die
 * @path:  absolute; the last component is not followed
 * @inode: the name is removed only while it is this inode; NULL: a random name nobody else can
 *         have chosen, whose inode follows with guard_name_inode()
 * Return: slot for the functions below, or logged -errno. No system calls.
 */
int must_check guard_name_add(struct guard *guard, const char *path, const struct stat *inode, int flags);
void guard_name_inode(struct guard *guard, int slot, const struct stat *inode);
/** guard_name_drop - the name is gone, or is to stay. */
void guard_name_drop(struct guard *guard, int slot);

/**
 * guard_segment_add - a System V segment this process is about to make is removed if we die, or end without
 * guard_commit_cancel()
 * Return: slot for guard_segment_made(), which tells its id, and for guard_name_drop(); or logged -errno.
 */
int must_check guard_segment_add(struct guard *guard);
void guard_segment_made(struct guard *guard, int slot, int id);

/** guard_set_add, guard_queue_add - the same for a semaphore set, a message queue, whose id, free now, will be @id */
int must_check guard_set_add(struct guard *guard, int id);
int must_check guard_queue_add(struct guard *guard, int id);

/**
 * guard_mqueue_add - the same for a POSIX message queue, whose @name (without the slash) is free now
 * @flags: GUARD_UNTIL_CANCEL, if it is to keep its name
 * guard_mqueue_made - its inode; from now on only that one is removed
 */
int must_check guard_mqueue_add(struct guard *guard, const char *name, int flags);
void guard_mqueue_made(struct guard *guard, int slot, const struct stat *inode);

/** guard_table_add - the nf_tables table @name is deleted if we die; slot for guard_name_drop(), or logged -errno. */
int must_check guard_table_add(struct guard *guard, const char *name, int flags);

/**
 * guard_sockets - the TCP connections of the tree
 * @fds:       borrowed; the guard gets duplicates
 * @reuse:     what SO_REUSEADDR of each is
 * @restoring: they belong to no living task before guard_commit_cancel()
 *
 * If we die, connections of tasks that die with us end silently, in repair mode, and those of tasks that
 * live on leave it.
 */
int must_check guard_sockets(struct guard *guard, const int *fds, const bool *reuse, size_t n, bool restoring);
/** guard_sockets_forget - the guard closes its duplicates: nothing is to be done about them any more. */
int must_check guard_sockets_forget(struct guard *guard);

/**
 * guard_hold - from now on our exit waits until the guard has taken the sockets out of repair mode
 * guard_let_go - no longer; also after guard_commit_begin() with takings
 * Only the thread that started the guard. Where we can't be traced the guard does the same a moment after our exit.
 */
int must_check guard_hold(struct guard *guard);
void guard_let_go(struct guard *guard);

/*
 * What nobody can look at, only take away, and what a dump therefore takes at its commit. The guard does it, since criu
 * may be killed between taking and writing down. Its log shows the first error only.
 */
struct guard_takings {
	const int *fds; /* what it is taken from; borrowed; the functions get the guard's copies */
	size_t n;
	/* Take it and save it in the image directory. Return: 0 or -errno, then what was taken is given back. */
	int (*take)(int dir_fd, const int *fds, size_t n, void *notes);
	void (*give_back)(const int *fds, size_t n, void *notes);
};

/** guard_notes - GUARD_NOTES_BYTES of zeros that are shared with the guard; NULL without one. */
#define GUARD_NOTES_BYTES (256 * 1024UL)
void *guard_notes(struct guard *guard);

/**
 * guard_commit_begin - the point of no return of a dump; or the begin of a restore's release
 * @dir_fd:  image directory; borrowed
 * @pidfds:  processes that die with us from here on; borrowed
 * @commit:  finishes the commit; async-signal-safe; called in the guard with its copy of @dir_fd; NULL: nothing to do
 * @takings: of a dump: what is taken first, if anything; then our exit waits for the guard from here on, so that the
 *           tasks don't run before it has done its part, until guard_let_go(), which has to follow, also after an error; NULL: of
 *           a restore
 *
 * When it has returned 0 and we die, the guard kills all of @pidfds and calls @commit. Until it has, our death
 * leaves the tree alone, and what was taken is given back.
 */
int must_check guard_commit_begin(struct guard *guard, int dir_fd, const int *pidfds, size_t n,
				  int (*commit)(int dir_fd), const struct guard_takings *takings);

/** guard_give_back - what was taken, to a tree that goes on; before it does. Done already if guard_let_go() has. */
int must_check guard_give_back(struct guard *guard);

/**
 * guard_commit_cancel - our death is a release again: nothing is killed or committed any more, and what was taken
 * is given back
 *
 * For a dump that could not finish its commit, and for a restore whose tasks can live without us: there it is the commit.
 * A restore with TCP connections is held as by guard_hold(); once they are out of repair mode, guard_let_go().
 */
int must_check guard_commit_cancel(struct guard *guard);

/** guard_stop - orderly end: names still registered are removed, a commit is ours again; reaps and frees. */
void guard_stop(struct guard *guard);

#endif
