/*
 * Parsers of /proc text. The text is input: malformed text is an error
 * (-EINVAL, logged), never trusted. Every function that takes a pid works on
 * /proc of the caller's pid namespace only.
 *
 * Return: 0 with the result stored, or a negative errno with nothing stored.
 * Errors are logged here, but -ESRCH, the task has ended, only at debug level:
 * the caller knows whether that is an error. Results are freed with the
 * function beside them, or with free() and VEC_FREE().
 */
#ifndef CRIU_KERNEL_PROC_H
#define CRIU_KERNEL_PROC_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "util/mem.h"

/* /proc/PID/stat and /proc/PID/task/TID/stat, proc_pid_stat(5) */
struct proc_stat {
	pid_t pid;
	char comm[64];
	char state;
	pid_t ppid, pgid, sid;
	int tty_nr, tty_pgrp;
	unsigned int flags; /* PF_* */
	int nice;
	uint64_t start_time; /* clock ticks since boot */
	uint64_t start_code, end_code, start_stack;
	uint64_t start_data, end_data, start_brk;
	uint64_t arg_start, arg_end, env_start, env_end;
	int exit_signal; /* sent to the parent at the end; 0 none, -1 for a thread */
	int exit_code;	 /* wait status; 0 when the caller may not see it */
};

/* /proc/PID/status, proc_pid_status(5) */
struct proc_status {
	mode_t umask;
	pid_t tgid, ppid, tracer_pid;
	uid_t uids[4]; /* real, effective, saved, fs */
	gid_t gids[4];
	gid_t *groups; /* owned */
	size_t n_groups;
	unsigned int n_ns_pids; /* depth of the pid namespace seen from here */
	unsigned int n_threads;
	uint64_t sig_pending, shared_pending, sig_blocked, sig_ignored, sig_caught;
	uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	bool no_new_privs;
	int seccomp; /* 0 none, 1 strict, 2 filter */
	unsigned int seccomp_filters;
	bool thp_enabled;   /* THP_enabled, true when the line is absent */
	uint64_t locked_kb; /* VmLck; 0 when the line is absent */
};

/* One line of /proc/PID/maps plus, from smaps, its VmFlags. */
struct proc_map {
	uint64_t start, end, offset;
	bool read, write, exec, shared;
	unsigned int dev_major, dev_minor;
	uint64_t ino;
	char *name;	   /* owned; newlines unescaped; "" if none; may end in " (deleted)" */
	uint64_t vm_flags; /* enum proc_vm_flag bits; 0 if read from maps */
	uint64_t anon_huge_kb;
	uint64_t protection_key; /* pkeys(7); 0 if read from maps, or the processor has none */
};

/* Two-letter VmFlags of smaps that matter to us. */
enum proc_vm_flag {
	PROC_VM_MAYREAD = 1 << 0,	/* mr */
	PROC_VM_MAYWRITE = 1 << 1,	/* mw */
	PROC_VM_MAYEXEC = 1 << 2,	/* me */
	PROC_VM_MAYSHARE = 1 << 3,	/* ms */
	PROC_VM_GROWSDOWN = 1 << 4,	/* gd */
	PROC_VM_PFNMAP = 1 << 5,	/* pf */
	PROC_VM_LOCKED = 1 << 6,	/* lo */
	PROC_VM_IO = 1 << 7,		/* io */
	PROC_VM_SEQ_READ = 1 << 8,	/* sr */
	PROC_VM_RAND_READ = 1 << 9,	/* rr */
	PROC_VM_DONTCOPY = 1 << 10,	/* dc */
	PROC_VM_DONTEXPAND = 1 << 11,	/* de */
	PROC_VM_LOCKONFAULT = 1 << 12,	/* lf */
	PROC_VM_ACCOUNT = 1 << 13,	/* ac */
	PROC_VM_NORESERVE = 1 << 14,	/* nr */
	PROC_VM_HUGETLB = 1 << 15,	/* ht */
	PROC_VM_SYNC = 1 << 16,		/* sf */
	PROC_VM_ARCH_1 = 1 << 17,	/* ar */
	PROC_VM_WIPEONFORK = 1 << 18,	/* wf */
	PROC_VM_DONTDUMP = 1 << 19,	/* dd */
	PROC_VM_MIXEDMAP = 1 << 20,	/* mm */
	PROC_VM_HUGEPAGE = 1 << 21,	/* hg */
	PROC_VM_NOHUGEPAGE = 1 << 22,	/* nh */
	PROC_VM_MERGEABLE = 1 << 23,	/* mg */
	PROC_VM_UFFD_MISSING = 1 << 24, /* um */
	PROC_VM_UFFD_WP = 1 << 25,	/* uw */
	PROC_VM_UFFD_MINOR = 1 << 26,	/* ui */
	PROC_VM_SHADOW_STACK = 1 << 27, /* ss */
	PROC_VM_SEALED = 1 << 28,	/* sl */
	PROC_VM_DROPPABLE = 1 << 29,	/* dp */
};

typedef VEC(struct proc_map) proc_maps;

enum proc_lock_kind {
	PROC_LOCK_POSIX, /* fcntl(2) F_SETLK */
	PROC_LOCK_FLOCK, /* flock(2) */
	PROC_LOCK_OFD,	 /* fcntl(2) F_OFD_SETLK */
	PROC_LOCK_LEASE, /* fcntl(2) F_SETLEASE */
	PROC_LOCK_OTHER, /* delegations of file servers, mandatory locks, what later kernels have */
};

/* A file lock: a "lock:" line of fdinfo, or a line of /proc/locks, proc_locks(5). */
struct proc_lock {
	enum proc_lock_kind kind;
	bool breaking;	     /* a lease somebody waits for */
	int type;	     /* F_RDLCK, F_WRLCK, F_UNLCK; of a lease that is broken: what it has to become */
	pid_t pid;	     /* who took it; 0: has ended or can't be seen; -1: nobody in particular (OFD) */
	uint64_t start, end; /* first and last byte; INT64_MAX: to the end, wherever that may be */
	/* The file, by numbers that fit those of other locks only, not what stat(2) shows; all 0: none. */
	unsigned int dev_major, dev_minor;
	uint64_t ino;
	bool waits; /* only in /proc/locks: it is no lock yet */
};

typedef VEC(struct proc_lock) proc_locks;

/* The system call that a thread sleeps in. */
struct proc_syscall {
	int nr; /* -1: in none */
	uint64_t args[6];
};

/* /proc/PID/fdinfo/FD, proc_pid_fdinfo(5); kind-specific lines stay text. */
struct proc_fdinfo {
	uint64_t pos;
	unsigned int flags; /* open(2) flags, O_CLOEXEC included */
	int mnt_id;	    /* -1 if the line is absent */
	uint64_t ino;	    /* 0 if the line is absent (before 5.14) */
	char *text;	    /* owned: the whole file */
	proc_locks locks;   /* held through this descriptor; POSIX locks: by this process */
};

/* What fdinfo shows of a timerfd besides. */
struct proc_timerfd {
	int clock_id;
	uint64_t ticks;
	unsigned int settime_flags;
	struct timespec value, interval; /* value: what remains; 0: it is not armed, or has just expired */
};

/* One watch in the fdinfo of an inotify instance. */
struct proc_watch {
	int wd;
	uint64_t ino;
	uint32_t dev; /* as the kernel has it: 20 bits for the minor number */
	uint32_t mask, ignored_mask;
	unsigned int handle_bytes; /* 0: the file system has no handles */
	int handle_type;
	unsigned char handle[128];
};

typedef VEC(struct proc_watch) proc_watches;

/* One mark in the fdinfo of a fanotify group. */
struct proc_mark {
	enum { PROC_MARK_OTHER, PROC_MARK_INODE, PROC_MARK_MOUNT, PROC_MARK_FILESYSTEM } kind;
	struct proc_watch watch; /* without wd; of a mount only the masks, of a file system those and dev */
	int mnt_id;
	uint32_t mflags;
};

struct proc_fanotify {
	bool found;
	uint32_t flags, event_flags; /* of fanotify_init(2) */
	VEC(struct proc_mark) marks;
};

/* One entry of /proc/PID/timers */
struct proc_timer {
	int id;
	int signo;
	uint64_t sival;
	int notify;	/* SIGEV_* without SIGEV_THREAD_ID */
	bool thread_id; /* notification goes to thread notify_tid */
	pid_t notify_tid;
	int clock_id;
};

typedef VEC(struct proc_timer) proc_timers;

/* One line of /proc/PID/mountinfo */
struct proc_mount {
	int mnt_id, parent_id;
	unsigned int dev_major, dev_minor;
	char *root, *mountpoint, *fstype, *source, *options, *super_options; /* owned, escapes undone */
};

typedef VEC(struct proc_mount) proc_mounts;
typedef VEC(pid_t) pid_list;
typedef VEC(int) fd_list;

/* tid 0: the process itself; otherwise /proc/PID/task/TID. */
int must_check proc_read_stat(pid_t pid, pid_t tid, struct proc_stat *ret);
int must_check proc_read_status(pid_t pid, pid_t tid, struct proc_status *ret);
void proc_status_free(struct proc_status *status);

/** proc_read_maps - all mappings in address order; @with_flags reads smaps (slower). */
int must_check proc_read_maps(pid_t pid, bool with_flags, proc_maps *ret);
void proc_maps_free(proc_maps *maps);

int must_check proc_read_fdinfo(pid_t pid, int fd, struct proc_fdinfo *ret);
void proc_fdinfo_free(struct proc_fdinfo *info);

/**
 * proc_read_locks - /proc/locks: all locks that can be seen from our pid namespace, each followed by those who wait
 * A lock whose taker has ended, or can't be seen, is left out with them, unless we are in the initial namespace.
 */
int must_check proc_read_locks(proc_locks *ret);

/** proc_locks_conflict - is @a, held or waited for, in the way of @b? Both of one file, by different owners. */
bool proc_locks_conflict(const struct proc_lock *a, const struct proc_lock *b);

/** proc_read_syscall - /proc/PID/task/TID/syscall; false, quietly, if it can't be had. */
bool proc_read_syscall(pid_t pid, pid_t tid, struct proc_syscall *ret);

int must_check proc_read_timers(pid_t pid, proc_timers *ret);
int must_check proc_read_mounts(pid_t pid, proc_mounts *ret);
void proc_mounts_free(proc_mounts *mounts);

/* Numerically sorted: open descriptors, threads, and direct children of every thread. */
int must_check proc_list_fds(pid_t pid, fd_list *ret);
int must_check proc_list_threads(pid_t pid, pid_list *ret);
int must_check proc_list_children(pid_t pid, pid_list *ret);

/** proc_list_main_children - those of the main thread alone, which is given the orphans, too. */
int must_check proc_list_main_children(pid_t pid, pid_list *ret);

/** proc_read_link - readlink /proc/PID/@name; owned by the caller. */
int must_check proc_read_link(pid_t pid, const char *name, char **ret);

/** proc_read_file - whole file /proc/PID/@name, NUL-terminated; owned by the caller; @ret_bytes may be NULL. */
int must_check proc_read_file(pid_t pid, const char *name, char **ret, size_t *ret_bytes);

#define PROC_BOOT_ID_BYTES 64

/** proc_read_boot_id - what tells this run of the kernel from all others; false, quietly, if it can't be had. */
bool proc_read_boot_id(char ret[PROC_BOOT_ID_BYTES]);

/** proc_open - open /proc/PID/@name; the descriptor is owned by the caller; -errno, not logged. */
int must_check proc_open(pid_t pid, const char *name, int flags);

/** proc_read_mem - @bytes at @addr of /proc/PID/mem, which does not ask about protection; -errno, not logged. */
int must_check proc_read_mem(pid_t pid, uint64_t addr, void *buf, size_t bytes);

/* The parsers alone, on text in memory (unit tests, fuzzing). */
int must_check proc_parse_stat(const char *text, struct proc_stat *ret);
int must_check proc_parse_status(const char *text, struct proc_status *ret);
int must_check proc_parse_maps(const char *text, proc_maps *ret);
int must_check proc_parse_lock(const char *text, struct proc_lock *ret);
int must_check proc_parse_locks(const char *text, proc_locks *ret);
int must_check proc_parse_syscall(const char *text, struct proc_syscall *ret);
int must_check proc_parse_fdinfo(const char *text, struct proc_fdinfo *ret);
int must_check proc_parse_timerfd(const char *text, struct proc_timerfd *ret);
int must_check proc_parse_watches(const char *text, proc_watches *ret);
int must_check proc_parse_fanotify(const char *text, struct proc_fanotify *ret);

/** proc_parse_pidfd - the task of a pidfd: -1 it has ended and was waited for, 0 it is in another pid namespace. */
int must_check proc_parse_pidfd(const char *text, pid_t *ret);
int must_check proc_parse_timers(const char *text, proc_timers *ret);
int must_check proc_parse_mounts(const char *text, proc_mounts *ret);

#endif
