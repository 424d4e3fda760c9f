/*
 * target - a program that notices whatever is done to it.
 *
 * One thread for each way to be stopped: in user code with every register in use, in
 * each kind of sleeping system call, in a restartable sequence, behind a seccomp filter; at
 * either end of ptys and of message queues. Five more processes: one in strict seccomp mode, two that
 * share a deleted file, two that take turns by a semaphore with SEM_UNDO.
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
#include "target.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int fed_thread[2], fed_strict[2], idle[2];
static struct stats *stats;
static char **left_out;

void die(const char *what)
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

void wrong(struct slot *slot, const char *what, uint64_t got, uint64_t want)
{
	if (!slot->errors)
		snprintf(slot->text, sizeof(slot->text), "%s: %llx, not %llx", what, (unsigned long long)got,
			 (unsigned long long)want);
	slot->errors++;
}

void expect(struct slot *slot, const char *what, uint64_t got, uint64_t want)
{
	if (got != want)
		wrong(slot, what, got, want);
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

struct timespec ms(long long n)
{
	return (struct timespec){ n / 1000, n % 1000 * NSEC_PER_MSEC };
}

long result(long ret)
{
	return ret < 0 ? -errno : ret;
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
	{ "pty-write", do_pty_write },
	{ "pty-input", do_pty_input },
	{ "pty-output", do_pty_output },
	{ "pty-lines", do_pty_lines },
	{ "msgsnd", do_msgsnd },
	{ "msgrcv", do_msgrcv },
	{ "mq_send", do_mq_send },
	{ "mq_receive", do_mq_receive },
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
	init_rseq();
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
	make_ipc();
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
	start_process("sem-0", sem_child, 0);
	start_process("sem-1", sem_child, 1);
	start_threads();
	stats->ready = 1;
	for (;;)
		pause();
}
