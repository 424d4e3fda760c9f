/* What the parts of the target share. */
#ifndef TEST_CRASH_TARGET_H
#define TEST_CRASH_TARGET_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NSEC_PER_MSEC 1000000LL
#define MAX_SLOTS     62

struct slot {
	char name[24];
	_Atomic uint64_t loops, errors, eintr;
	uint32_t pid, tid;
	char text[72];
};

struct stats {
	_Atomic uint32_t ready;
	uint32_t nr_slots;
	uint8_t reserved[248];
	struct slot slots[MAX_SLOTS];
};

/* Pipes: numbers for a thread, numbers for the strict process, and one nobody writes to. */
extern int fed_thread[2], fed_strict[2], idle[2];

void die(const char *what);

/* Count an error; the first one is kept as text. */
void wrong(struct slot *slot, const char *what, uint64_t got, uint64_t want);
void expect(struct slot *slot, const char *what, uint64_t got, uint64_t want);

int64_t now_ns(void);
struct timespec ms(long long n);

/* A system call's result as the kernel gives it. */
long result(long ret);

/* Every sleeper ends a round here: its call must have returned want, and not too early. */
void slept(struct slot *slot, int64_t begin, long long least_ms, long ret, long want);

/* Threads: all registers in use (target-regs.c). */
void regs_stack(struct slot *slot);
void regs_no_stack(struct slot *slot);

/* Threads: asleep in system calls (target-sleep.c). */
void do_nanosleep(struct slot *slot);
void do_clock_nanosleep(struct slot *slot);
void do_poll(struct slot *slot);
void do_ppoll(struct slot *slot);
void do_select(struct slot *slot);
void do_futex(struct slot *slot);
void do_epoll(struct slot *slot);
void do_sigtimedwait(struct slot *slot);
void do_pipe_read(struct slot *slot);
void do_feed(struct slot *slot);
void do_sigsuspend(struct slot *slot);
void on_alarm(int sig);

/* Threads: other states (target-states.c). */
#define RSEQ_THREADS 2
void do_clock(struct slot *slot);
void do_seccomp(struct slot *slot);
void do_rseq(struct slot *slot);
void init_rseq(void);

/* Threads and processes: ptys, queues, semaphores (target-ipc.c). */
void do_pty_write(struct slot *slot);
void do_pty_input(struct slot *slot);
void do_pty_output(struct slot *slot);
void do_pty_lines(struct slot *slot);
void do_msgsnd(struct slot *slot);
void do_msgrcv(struct slot *slot);
void do_mq_send(struct slot *slot);
void do_mq_receive(struct slot *slot);
void sem_child(struct slot *slot, uint32_t me);
void make_ipc(void);

/* Processes (target-processes.c). */
void run_strict(struct slot *slot, uint32_t arg);
void pair_child(struct slot *slot, uint32_t me);
void make_pair(const char *dir);
void make_segments(void);

#endif
