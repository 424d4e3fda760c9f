/*
 * target - a program that notices whatever is done to it.
 *
 * One thread for each way to be stopped: in user code with every register in use, in
 * each kind of sleeping system call, in a restartable sequence, behind a seccomp filter.
 * Three more processes: one in strict seccomp mode and two that share a deleted file.
 * Each checks itself in a loop and keeps count in a slot of the statistics file, which
 * the driver reads while the program runs:
 *
 *   loops   rounds done; must go on growing
 *   errors  wrong values; must stay 0 (text says what)
 *   eintr   system calls that returned EINTR though no signal handler ran
 *
 *   target STATS DIR [WITHOUT...]	DIR: where the deleted file is made;
 *					WITHOUT: names of threads and processes to leave out
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/rseq.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

static struct stats *stats;
static char **left_out;
static int fed_thread[2], fed_strict[2], idle[2];

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static struct slot *new_slot(const char *name)
{
	struct slot *slot = &stats->slots[stats->nr_slots++];

	strcpy(slot->name, name);
	return slot;
}

static void wrong(struct slot *slot, const char *what, uint64_t got, uint64_t want)
{
	if (!slot->errors)
		snprintf(slot->text, sizeof(slot->text), "%s: %llx, not %llx", what, (unsigned long long)got,
			 (unsigned long long)want);
	slot->errors++;
}

static void expect(struct slot *slot, const char *what, uint64_t got, uint64_t want)
{
	if (got != want)
		wrong(slot, what, got, want);
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct timespec ms(long long n)
{
	return (struct timespec){ n / 1000, n % 1000 * NSEC_PER_MSEC };
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* --- user code with every register in use -------------------------------------- */

struct regs {
	uint64_t gpr[16]; /* rax rbx rcx rdx rsi rdi rbp rsp r8..r15 */
	uint64_t flags;
	uint32_t mxcsr;
	uint16_t fpucw, pad;
	uint8_t x87[8][10];
	uint64_t masks[8];
	uint8_t pad2[32];
	uint8_t vec[32][64];
};

/* the layout regs.S knows */
struct regs_record {
	struct regs in;
	uint8_t pad[4096 - sizeof(struct regs)];
	struct regs out;
	uint8_t pad2[4096 - sizeof(struct regs)];
	uint64_t saved[2];
};

_Static_assert(offsetof(struct regs, flags) == 0x80, "regs.S");
_Static_assert(offsetof(struct regs, x87) == 0x90, "regs.S");
_Static_assert(offsetof(struct regs, masks) == 0xe0, "regs.S");
_Static_assert(offsetof(struct regs, vec) == 0x140, "regs.S");
_Static_assert(offsetof(struct regs_record, out) == 0x1000, "regs.S");
_Static_assert(offsetof(struct regs_record, saved) == 0x2000, "regs.S");

enum { RCX = 2, RSP = 7 };

void regs_round_sse(void);
void regs_round_avx(void);
void regs_round_avx512(void);

struct vectors {
	void (*round)(void);
	unsigned int nr, bytes;
	bool masks;
};

static struct vectors find_vectors(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
		return (struct vectors){ regs_round_avx512, 32, 64, true };
	if (__builtin_cpu_supports("avx"))
		return (struct vectors){ regs_round_avx, 16, 32, false };
	return (struct vectors){ regs_round_sse, 16, 16, false };
}

static void fill_regs(struct regs *r, uint64_t *state)
{
	for (size_t i = 0; i < sizeof(*r) / 8; i++)
		((uint64_t *)r)[i] = next_random(state);
	r->gpr[RCX] = 200000 + next_random(state) % 400000; /* rounds to spin */
	r->flags = (r->flags & 0xcd5) | 0x202;		    /* CF PF AF ZF SF DF OF; IF */
	r->mxcsr = (r->mxcsr & 0x603f) | 0x1f80;	    /* any rounding, all masked */
	r->fpucw = (r->fpucw & 0x0c00) | 0x037f;
	for (int i = 0; i < 8; i++) { /* normal numbers: the others need not survive a load */
		r->x87[i][7] |= 0x80;
		r->x87[i][8] |= 1;
		r->x87[i][9] = (r->x87[i][9] & 0xbf) | 0x20;
	}
}

static void compare_regs(struct slot *slot, const struct regs *in, const struct regs *out, const struct vectors *v)
{
	static const char *const names[16] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
					       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

	for (int i = 0; i < 16; i++)
		expect(slot, names[i], out->gpr[i], i == RCX ? 0 : in->gpr[i]);
	expect(slot, "flags", out->flags & ~0x10000ULL, in->flags); /* RF may show after a trap */
	expect(slot, "mxcsr", out->mxcsr, in->mxcsr);
	expect(slot, "x87 control word", out->fpucw, in->fpucw);
	for (int i = 0; i < 8; i++) {
		if (memcmp(out->x87[i], in->x87[i], 10))
			wrong(slot, "x87 register", i, i);
		if (v->masks)
			expect(slot, "mask register", out->masks[i], in->masks[i]);
	}
	for (unsigned int i = 0; i < v->nr; i++)
		if (memcmp(out->vec[i], in->vec[i], v->bytes))
			wrong(slot, "vector register", i, i);
}

static void run_regs(struct slot *slot, bool with_stack)
{
	static const struct timespec pause = { 0, 200000 };
	struct vectors v = find_vectors();
	struct regs_record *rec = aligned_alloc(4096, (sizeof(*rec) + 4095) & ~4095UL);
	uint64_t state = now_ns() | 1, red_zone[2][16];

	if (!rec || syscall(SYS_arch_prctl, ARCH_SET_GS, rec))
		die("gs");
	for (;;) {
		fill_regs(&rec->in, &state);
		for (int i = 0; i < 16; i++)
			red_zone[0][i] = red_zone[1][i] = next_random(&state);
		if (with_stack) /* else %rsp is a random number */
			rec->in.gpr[RSP] = (uint64_t)&red_zone[1];
		v.round();
		compare_regs(slot, &rec->in, &rec->out, &v);
		if (memcmp(red_zone[0], red_zone[1] - 16, sizeof(red_zone[0])))
			wrong(slot, "red zone", 1, 0);
		slot->loops++;
		nanosleep(&pause, NULL); /* others want the processor, too */
	}
}

static void regs_stack(struct slot *slot)
{
	run_regs(slot, true);
}

static void regs_no_stack(struct slot *slot)
{
	run_regs(slot, false);
}

/* --- sleepers -------------------------------------------------------------------- */

/* Every sleeper ends a round here: its call must have returned want, and not too early. */
static void slept(struct slot *slot, int64_t begin, long long least_ms, long ret, long want)
{
	sigset_t mask;

	if (ret == -EINTR) {
		slot->eintr++;
	} else {
		expect(slot, "result", ret, want);
		if (now_ns() - begin < least_ms * NSEC_PER_MSEC)
			wrong(slot, "early (ns)", now_ns() - begin, least_ms * NSEC_PER_MSEC);
	}
	/* all but the signals of the sigsuspend thread are blocked everywhere */
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	if (!sigismember(&mask, SIGUSR2) || !sigismember(&mask, SIGRTMIN) || sigismember(&mask, SIGUSR1))
		wrong(slot, "signal mask", *(uint64_t *)&mask, 0);
	slot->loops++;
}

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static void do_nanosleep(struct slot *slot)
{
	for (struct timespec t = ms(20);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 20, result(nanosleep(&t, NULL)), 0);
	}
}

static void do_clock_nanosleep(struct slot *slot)
{
	for (;;) {
		int64_t begin = now_ns(), end = begin + 17 * NSEC_PER_MSEC;
		struct timespec t = { end / 1000000000, end % 1000000000 };

		slept(slot, begin, 17, -clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
	}
}

static void do_poll(struct slot *slot)
{
	for (struct pollfd p = { .fd = idle[0], .events = POLLIN };;) {
		int64_t begin = now_ns();

		slept(slot, begin, 15, result(poll(&p, 1, 15)), 0);
	}
}

static void do_ppoll(struct slot *slot)
{
	struct pollfd p = { .fd = idle[0], .events = POLLIN };
	struct timespec t = ms(13);
	sigset_t none;

	for (sigfillset(&none);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 13, result(ppoll(&p, 1, &t, &none)), 0);
	}
}

static void do_select(struct slot *slot)
{
	for (;;) {
		struct timeval t = { 0, 18000 };
		int64_t begin = now_ns();
		fd_set set;

		FD_ZERO(&set);
		FD_SET(idle[0], &set);
		slept(slot, begin, 18, result(select(idle[0] + 1, &set, NULL, NULL, &t)), 0);
	}
}

static void do_futex(struct slot *slot)
{
	static uint32_t word = 7;

	for (struct timespec t = ms(16);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 16, result(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &t, NULL, 0)),
		      -ETIMEDOUT);
	}
}

static void do_epoll(struct slot *slot)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, idle[0], &event))
		die("epoll");
	for (;;) {
		int64_t begin = now_ns();

		slept(slot, begin, 19, result(epoll_wait(fd, &event, 1, 19)), 0);
	}
}

static void do_sigtimedwait(struct slot *slot)
{
	struct timespec t = ms(14);
	sigset_t set;

	sigemptyset(&set);
	for (sigaddset(&set, SIGUSR2);;) {
		int64_t begin = now_ns();

		slept(slot, begin, 14, result(sigtimedwait(&set, NULL, &t)), -EAGAIN);
	}
}

/* Numbers come through the pipe in order: none lost, none twice. */
static void do_pipe_read(struct slot *slot)
{
	for (uint64_t want = 0, got;; want++) {
		int64_t begin = now_ns();
		long ret;

		while ((ret = result(read(fed_thread[0], &got, sizeof(got)))) == -EINTR)
			slot->eintr++;
		expect(slot, "number from the pipe", got, want);
		slept(slot, begin, 0, ret, sizeof(got));
	}
}

static void do_feed(struct slot *slot)
{
	struct timespec t = ms(6);

	for (uint64_t n = 0;; n++) {
		int64_t begin = now_ns();

		if (write(fed_thread[1], &n, sizeof(n)) != sizeof(n) ||
		    write(fed_strict[1], &n, sizeof(n)) != sizeof(n))
			wrong(slot, "write", errno, 0);
		slept(slot, begin, 6, result(nanosleep(&t, NULL)), 0);
	}
}

static _Thread_local _Atomic uint64_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* A timer ends each wait: the only EINTR that is wanted. */
static void do_sigsuspend(struct slot *slot)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
	struct itimerspec every = { ms(7), ms(7) };
	uint64_t before = 0;
	timer_t timer;
	sigset_t set;

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &every, NULL))
		die("timer");
	sigfillset(&set);
	for (sigdelset(&set, SIGRTMIN);; before = alarms) {
		long ret = result(sigsuspend(&set));

		expect(slot, "sigsuspend", ret, -EINTR);
		if (alarms == before)
			slot->eintr++;
		slept(slot, 0, 0, 0, 0);
	}
}

/* --- other states ------------------------------------------------------------------ */

static void do_clock(struct slot *slot)
{
	static const struct timespec pause = { 0, 100000 };
	pid_t pid = getpid();

	for (int64_t last = 0;; nanosleep(&pause, NULL)) {
		for (int i = 0; i < 2000; i++) {
			int64_t now = now_ns();

			if (now < last)
				wrong(slot, "clock went back", now, last);
			last = now;
			expect(slot, "getpid", syscall(SYS_getpid), pid);
		}
		slot->loops++;
	}
}

#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void do_seccomp(struct slot *slot)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(SYS_nanosleep),
		ALLOW(SYS_clock_nanosleep),
		ALLOW(SYS_clock_gettime),
		ALLOW(SYS_restart_syscall),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	struct timespec t = ms(9);

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		die("seccomp");
	for (;;) { /* not slept(): it asks for the mask, which the filter forbids */
		int64_t begin = now_ns();
		long ret = result(nanosleep(&t, NULL));

		if (ret == -EINTR)
			slot->eintr++;
		else if (ret || now_ns() - begin < 9 * NSEC_PER_MSEC)
			wrong(slot, "nanosleep", ret, 0);
		slot->loops++;
	}
}

/* Threads that add to per-processor counters; a step that was not restarted loses a count. */
#define RSEQ_THREADS 2
#define RSEQ_BURST   20000

static struct {
	_Alignas(64) volatile uint64_t value;
} per_cpu[1024];
static pthread_barrier_t rseq_barrier;

/* Returns false when the kernel sent the thread to the abort address. */
static bool rseq_add(struct rseq *area)
{
	asm goto(".pushsection __rseq_cs, \"aw\"\n"
		 ".balign 32\n"
		 "1:	.long 0, 0\n"
		 "	.quad 2f, 3f - 2f, 4f\n"
		 ".popsection\n"
		 "	lea 1b(%%rip), %%rax\n"
		 "	mov %%rax, %c[cs](%[area])\n"
		 "2:	mov %c[cpu](%[area]), %%eax\n"
		 "	shl $6, %%rax\n"
		 "	mov (%[counters], %%rax), %%rcx\n"
		 "	inc %%rcx\n"
		 ".rept 24\n" /* a window worth hitting */
		 "	pause\n"
		 ".endr\n"
		 "	mov %%rcx, (%[counters], %%rax)\n"
		 "3:\n"
		 ".pushsection .text.unlikely, \"ax\"\n"
		 "	.byte 0x0f, 0xb9, 0x3d\n"
		 "	.long %c[sig]\n"
		 "4:	jmp %l[aborted]\n"
		 ".popsection\n"
		 :
		 : [area] "r"(area), [counters] "r"(per_cpu), [cs] "i"(offsetof(struct rseq, rseq_cs)),
		   [cpu] "i"(offsetof(struct rseq, cpu_id)), [sig] "i"(RSEQ_SIG)
		 : "rax", "rcx", "memory", "cc"
		 : aborted);
	return true;
aborted:
	return false;
}

static void check_per_cpu(struct slot *slot)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(per_cpu) / sizeof(per_cpu[0]); i++) {
		sum += per_cpu[i].value;
		per_cpu[i].value = 0;
	}
	expect(slot, "sum of the per-processor counters", sum, RSEQ_THREADS * RSEQ_BURST);
}

static void do_rseq(struct slot *slot)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	struct timespec pause = ms(5);

	for (;;) {
		for (int done = 0; done < RSEQ_BURST;)
			done += rseq_add(area);
		if (pthread_barrier_wait(&rseq_barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
			check_per_cpu(slot);
			nanosleep(&pause, NULL);
		}
		pthread_barrier_wait(&rseq_barrier);
		slot->loops++;
	}
}

/* --- other processes ----------------------------------------------------------------- */

/* Strict mode leaves nothing but read and write. */
static void strict_child(struct slot *slot)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		die("strict");
	for (uint64_t want = 0, got;; want++) {
		long ret;

		while ((ret = result(read(fed_strict[0], &got, sizeof(got)))) == -EINTR)
			slot->eintr++;
		if (!ret)
			syscall(SYS_exit, 0);
		expect(slot, "number from the pipe", got, want);
		slot->loops++;
	}
}

struct pair {
	_Atomic uint32_t turn;
	uint32_t pad;
	uint64_t data[16383];
};

static struct pair *pair;
static volatile uint32_t *segments[2]; /* System V: one goes with the pair, one stays */

static void pair_child(struct slot *slot, uint32_t me)
{
	const size_t nr = sizeof(pair->data) / sizeof(pair->data[0]);
	struct timespec pause = ms(3);

	for (;;) {
		uint32_t turn = pair->turn;

		if (turn % 2 != me) {
			if (syscall(SYS_futex, &pair->turn, FUTEX_WAIT, turn, NULL, NULL, 0) && errno == EINTR)
				slot->eintr++;
			continue;
		}
		for (size_t i = 0; i < nr; i++) {
			expect(slot, "shared word", pair->data[i], turn * (i + 1));
			pair->data[i] = (uint64_t)(turn + 1) * (i + 1);
		}
		for (int i = 0; i < 2; i++) {
			expect(slot, "turn in a segment", *segments[i], turn);
			*segments[i] = turn + 1;
		}
		pair->turn = turn + 1;
		syscall(SYS_futex, &pair->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
		slot->loops++;
		nanosleep(&pause, NULL);
	}
}

static void make_pair(const char *dir)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/crash-target-%d", dir, getpid());
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*pair)) || unlink(path))
		die(path);
	pair = mmap(NULL, sizeof(*pair), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (pair == MAP_FAILED)
		die("mmap");
	close(fd);
}

static void make_segments(void)
{
	for (int i = 0; i < 2; i++) {
		int id = shmget(IPC_PRIVATE, 65536, IPC_CREAT | 0600);

		segments[i] = id < 0 ? (void *)-1 : shmat(id, NULL, 0);
		if (segments[i] == (void *)-1 || (i == 0 && shmctl(id, IPC_RMID, NULL)))
			die("segment");
	}
}

static bool is_left_out(const char *name)
{
	for (char **out = left_out; *out; out++)
		if (!strcmp(*out, name))
			return true;
	return false;
}

static void start_process(const char *name, void (*run)(struct slot *, uint32_t), uint32_t arg)
{
	struct slot *slot;
	pid_t pid;

	if (is_left_out(name))
		return;
	slot = new_slot(name);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		slot->pid = slot->tid = getpid();
		run(slot, arg);
	}
}

static void run_strict(struct slot *slot, uint32_t arg)
{
	(void)arg;
	close(fed_strict[1]);
	strict_child(slot);
}

/* --- all together ---------------------------------------------------------------------- */

static const struct work {
	const char *name;
	void (*run)(struct slot *slot);
} works[] = {
	{ "regs", regs_stack },
	{ "regs-no-stack", regs_no_stack },
	{ "nanosleep", do_nanosleep },
	{ "clock_nanosleep", do_clock_nanosleep },
	{ "poll", do_poll },
	{ "ppoll", do_ppoll },
	{ "select", do_select },
	{ "futex", do_futex },
	{ "epoll_wait", do_epoll },
	{ "sigtimedwait", do_sigtimedwait },
	{ "sigsuspend", do_sigsuspend },
	{ "pipe-read", do_pipe_read },
	{ "pipe-write", do_feed },
	{ "clock", do_clock },
	{ "rseq-1", do_rseq },
	{ "rseq-2", do_rseq },
	{ "seccomp-filter", do_seccomp },
};

struct start {
	const struct work *work;
	struct slot *slot;
};

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	start.slot->pid = getpid();
	start.slot->tid = gettid();
	start.work->run(start.slot);
	return NULL;
}

static void start_threads(void)
{
	pthread_barrier_init(&rseq_barrier, NULL, RSEQ_THREADS);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		struct start *start;
		pthread_t thread;

		if (is_left_out(works[i].name))
			continue;
		start = malloc(sizeof(*start));
		if (!start)
			die("malloc");
		*start = (struct start){ &works[i], new_slot(works[i].name) };
		if (pthread_create(&thread, NULL, thread_main, start))
			die("pthread_create");
	}
}

static void map_stats(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*stats)))
		die(path);
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (stats == MAP_FAILED)
		die("mmap");
	close(fd);
}

int main(int argc, char **argv)
{
	struct sigaction alarm = { .sa_handler = on_alarm };
	sigset_t blocked;

	_Static_assert(sizeof(struct slot) == 128 && offsetof(struct stats, slots) == 256, "campaign.py reads it");
	if (argc < 3) {
		fprintf(stderr, "usage: target STATS DIR [WITHOUT...]\n");
		return 2;
	}
	left_out = argv + 3;
	map_stats(argv[1]);
	make_pair(argv[2]);
	make_segments();
	if (pipe2(fed_thread, O_CLOEXEC) || pipe2(fed_strict, O_CLOEXEC) || pipe2(idle, O_CLOEXEC))
		die("pipe");
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigaddset(&blocked, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGRTMIN, &alarm, NULL);

	start_process("strict", run_strict, 0);
	start_process("pair-0", pair_child, 0);
	start_process("pair-1", pair_child, 1);
	start_threads();
	stats->ready = 1;
	for (;;)
		pause();
}
