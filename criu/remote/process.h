/*
 * A stopped process under our control: either one that was seized for a dump
 * or a puppet that restore is building. Knows nothing of images.
 */
#ifndef CRIU_REMOTE_PROCESS_H
#define CRIU_REMOTE_PROCESS_H

#include <stdbool.h>
#include <sys/user.h>

#include "kernel/proc.h"
#include "remote/types.h"

struct remote_process;
struct confine;
struct keeper;

/* PTRACE_GET_RSEQ_CONFIGURATION */
struct remote_rseq {
	uint64_t abi_addr; /* 0: none registered */
	uint32_t abi_bytes;
	uint32_t signature;
};

struct remote_thread {
	struct remote_process *process;
	pid_t tid;
	struct user_regs_struct stop_regs;   /* as found at the stop (after rseq and EINTR fix-ups) */
	struct user_regs_struct resume_regs; /* the same with an interrupted system call in restarted form */
	uint64_t sigmask;
	struct remote_rseq rseq;
	struct confine *confine; /* seccomp mode and filters; NULL: none; owned */
	bool confined;		 /* they would kill it for mapping, unmapping or healing, were we killed */
	uint64_t pending;	 /* signals queued to this thread or its process at the stop */
	struct remote_addr stub; /* where it heals if we die; 0: it has its own registers */
	bool masked;		 /* its signals are blocked by us */
	bool syscall_stop;	 /* its last stop was a syscall stop, where restart codes are not honoured */
	int held_signo;		 /* stop signal that arrived meanwhile, sent again on release */
	struct remote_addr slot; /* code, calls and data of a batch, in the scratch area */
};

struct remote_range {
	uint64_t start, bytes;
};

enum remote_state {
	REMOTE_ALIVE,
	REMOTE_STOPPED, /* group-stopped; stop_signo says by what */
	REMOTE_ZOMBIE,
};

struct remote_process {
	pid_t pid;
	int pidfd;		       /* owned */
	struct remote_process *parent; /* NULL for the root */
	enum remote_state state;
	int stop_signo;
	bool puppet;		       /* made by restore: dies with us, needs no healing */
	bool watched;		       /* not attached: it runs on, see remote/watch.h */
	struct remote_thread *threads; /* [0] is the leader; owned */
	size_t n_threads;
	struct proc_stat stat;	   /* read after the stop (dump only) */
	struct proc_status status; /* of the leader (dump only) */
	uint32_t personality;	   /* of the leader (dump only), read by the plan */

	/* Where remote calls run; see remote/call.h and remote/batch.h. */
	struct remote_thread *driver;	 /* runs the calls that concern the whole process */
	struct remote_addr syscall_insn; /* a `syscall` instruction (puppet) */
	struct remote_addr stub;	 /* in the vdso's tail (seized) */
	struct remote_addr scratch;
	size_t scratch_bytes;
	struct remote_addr scratch_wanted;  /* where it is about to be mapped (seized): noted in the stub */
	int end_signo;			    /* ends a batch: ignored by an untraced task; 0: no such signal */
	VEC(struct remote_range) leftovers; /* scratch areas of earlier, killed runs */
	int mem_fd;			    /* /proc/PID/mem, owned; -1 until first use */
	struct keeper *keeper;		    /* the tree's; owned by its root; NULL for a puppet */
};

/* All processes of a tree, parents before children. */
struct remote_tree {
	struct remote_process **processes; /* owned, with the processes */
	size_t n;
};

/**
 * remote_pidfd - a pidfd of a process that may be ending or in exec(2).
 *
 * The kernel says EINVAL where a number is that of no thread group, which is
 * so for a moment when another thread than the main one calls exec, and on
 * old kernels while a process is being reaped.
 * Return: the descriptor, owned by the caller; else -errno, not logged, -ESRCH if it is gone.
 */
int remote_pidfd(pid_t pid);

/** remote_read, remote_write - whole transfer by process_vm_readv/writev; logged -errno. */
int must_check remote_read(struct remote_process *process, struct remote_addr from, void *buf, size_t bytes);
int must_check remote_write(struct remote_process *process, struct remote_addr to, const void *buf, size_t bytes);

/**
 * remote_mem_fd - /proc/PID/mem opened read-write, for pages whose protection
 * forbids the plain way; owned by @process.
 */
int must_check remote_mem_fd(struct remote_process *process);

void remote_process_free(struct remote_process *process);

#endif
