/*
 * Numbered timeline of what this is for:
 *
 *  1. thread T, in strict mode, runs a batch; its checks are suspended because
 *     our ptrace flags say so
 *  2. we are killed; our exit detaches T, which clears the flags
 *  3. T enters its next call, is checked, and dies
 *
 * The keeper holds us between being killed and exiting (2) until T has stopped,
 * or sleeps in the last call of its batch, and takes back its permission to make another.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "remote/keeper.h"
#include "remote/ptrace.h"
#include "util/log.h"

enum keeper_state {
	KEEPER_STARTING,
	KEEPER_READY,
	KEEPER_USELESS,
};

/* Shared with the child. */
struct keeper_page {
	atomic_int state; /* enum keeper_state; a futex */
	pid_t pid;
	uint64_t go;
	atomic_int tid; /* 0: nothing to keep; stored last */
};

struct keeper {
	pid_t pid; /* 0: not started yet */
	bool covering;
	struct keeper_page *page;
};

/* --- the child's side: only async-signal-safe calls --------------------------------- */

/* Runs, or waits for something but an interrupt: a call may still be before it. */
static bool is_busy(pid_t pid, pid_t tid)
{
	char path[64], stat[512], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	stat[n > 0 ? n : 0] = '\0';
	state = strrchr(stat, ')');
	return state && (state[2] == 'R' || state[2] == 'D');
}

static void stop_it(const struct keeper_page *page, pid_t tid)
{
	enum { TRIES = 40000 };
	const struct timespec pause = { .tv_nsec = 50000 };
	static const uint64_t stop;
	char path[64];
	int fd;

	for (int i = 0; i < TRIES && is_busy(page->pid, tid); i++)
		nanosleep(&pause, NULL);
	snprintf(path, sizeof(path), "/proc/%d/mem", page->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && pwrite(fd, &stop, sizeof(stop), page->go) < 0)
		_exit(1);
}

static void answer(struct keeper_page *page, int state)
{
	atomic_store(&page->state, state);
	syscall(SYS_futex, &page->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void keep(struct keeper_page *page, pid_t owner)
{
	sigset_t all;
	int status, tid;

	prctl(PR_SET_NAME, "criu-keeper");
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close_range(0, ~0U, 0);
	if (ptrace_request(PTRACE_SEIZE, owner, 0, PTRACE_O_TRACEEXIT)) {
		answer(page, KEEPER_USELESS);
		_exit(1);
	}
	answer(page, KEEPER_READY);
	while (waitpid(owner, &status, __WALL) == owner && WIFSTOPPED(status)) {
		int signo = 0;

		if (status >> 16 == PTRACE_EVENT_EXIT) {
			tid = atomic_load(&page->tid);
			if (tid)
				stop_it(page, tid);
			_exit(0); /* and detach */
		}
		if (ptrace_classify(status) == STOP_EVENT && WSTOPSIG(status) != SIGTRAP) {
			ptrace_request(PTRACE_LISTEN, owner, 0, 0);
			continue;
		}
		if (ptrace_classify(status) == STOP_SIGNAL)
			signo = WSTOPSIG(status);
		ptrace_request(PTRACE_CONT, owner, 0, signo);
	}
	_exit(0);
}

/* --- our side ------------------------------------------------------------------------ */

struct keeper *keeper_new(void)
{
	return xalloc(sizeof(struct keeper));
}

static void start(struct keeper *keeper)
{
	const struct timespec patience = { .tv_sec = 1 };
	pid_t self = getpid();

	keeper->page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	keeper->pid = keeper->page == MAP_FAILED ? -1 : fork();
	if (!keeper->pid)
		keep(keeper->page, self);
	if (keeper->pid < 0)
		return;
	while (atomic_load(&keeper->page->state) == KEEPER_STARTING)
		if (syscall(SYS_futex, &keeper->page->state, FUTEX_WAIT, KEEPER_STARTING, &patience, NULL, 0) &&
		    errno == ETIMEDOUT)
			break;
	keeper->covering = atomic_load(&keeper->page->state) == KEEPER_READY;
	if (!keeper->covering)
		pr_info("if criu is killed, threads confined by seccomp may be lost: it is being traced");
}

void keeper_cover(struct keeper *keeper, pid_t pid, pid_t tid, struct remote_addr go)
{
	if (!keeper)
		return;
	if (!keeper->pid)
		start(keeper);
	if (!keeper->covering)
		return;
	keeper->page->pid = pid;
	keeper->page->go = go.v;
	atomic_store(&keeper->page->tid, tid);
}

void keeper_uncover(struct keeper *keeper)
{
	if (keeper && keeper->covering)
		atomic_store(&keeper->page->tid, 0);
}

void keeper_rest(struct keeper *keeper)
{
	if (!keeper || keeper->pid <= 0)
		return;
	kill(keeper->pid, SIGKILL);
	while (waitpid(keeper->pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	munmap(keeper->page, PAGE_BYTES);
	keeper->pid = 0;
	keeper->covering = false;
}

void keeper_end(struct keeper *keeper)
{
	keeper_rest(keeper);
	free(keeper);
}
