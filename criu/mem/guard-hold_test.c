/* What is taken from a tree comes back before the tree goes on, whenever its dump is killed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mem/guard.h"
#include "mem/guard-hold.h"
#include "util/mem.h"
#include "util/test.h"

enum when { IN_TAKING, AFTER_DECISION, NEVER, TAKING_FAILS };

/* Shared with the owner of the guard, with the guard, and with the tree, which is one process. */
static struct shared {
	enum when when;
	pid_t owner, tree;
	atomic_int rounds;		  /* of the tree */
	int rounds_stopped, rounds_given; /* as they were when it was stopped, and when it got back what was taken */
	atomic_bool begun, given, let_go; /* the owner had an answer; it was given back; so the owner knows */
} * shared;

static const struct timespec moment = { .tv_nsec = 30 * 1000 * 1000 };

static int take(int dir_fd, const int *fds, size_t n, void *notes)
{
	if (shared->when == IN_TAKING)
		kill(shared->owner, SIGKILL);
	nanosleep(&moment, NULL);
	return shared->when == TAKING_FAILS ? -EIO : 0;
}

static void give_back(const int *fds, size_t n, void *notes)
{
	nanosleep(&moment, NULL);
	shared->rounds_given = atomic_load(&shared->rounds);
	atomic_store(&shared->given, true);
}

static int commit(int dir_fd)
{
	return 0;
}

static pid_t start_tree(void)
{
	pid_t pid = fork();

	while (!pid) {
		shared->rounds++;
		usleep(500);
	}
	return pid;
}

static void own(void)
{
	const struct guard_takings takings = { .fds = (int[]){ 0 }, .n = 1, .take = take, .give_back = give_back };
	auto_fd int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct guard *guard;

	shared->owner = getpid();
	if (guard_start(&guard) || ptrace(PTRACE_SEIZE, shared->tree, 0, 0) ||
	    ptrace(PTRACE_INTERRUPT, shared->tree, 0, 0) || waitpid(shared->tree, NULL, __WALL) != shared->tree)
		_exit(1);
	shared->rounds_stopped = atomic_load(&shared->rounds);
	atomic_store(&shared->begun, !guard_commit_begin(guard, dir, NULL, 0, commit, &takings));
	if (shared->when == AFTER_DECISION)
		raise(SIGKILL);
	guard_let_go(guard);
	atomic_store(&shared->let_go, atomic_load(&shared->given));
	ptrace(PTRACE_DETACH, shared->tree, 0, 0);
	guard_stop(guard);
	_exit(0);
}

static void test_when(enum when when)
{
	pid_t owner;
	int status;

	*shared = (struct shared){ .when = when };
	shared->tree = start_tree();
	while (!shared->rounds)
		usleep(100);
	owner = fork();
	if (!owner)
		own();
	CHECK(waitpid(owner, &status, 0) == owner);
	CHECK_EQ(WIFSIGNALED(status), when == IN_TAKING || when == AFTER_DECISION);
	CHECK_EQ(shared->begun, when == AFTER_DECISION || when == NEVER);
	CHECK(shared->given);
	CHECK_EQ(shared->let_go, when == NEVER || when == TAKING_FAILS);
	CHECK_EQ(shared->rounds_given, shared->rounds_stopped);
	for (int i = 0; i < 20000 && shared->rounds == shared->rounds_given; i++)
		usleep(500);
	CHECK(shared->rounds > shared->rounds_given);
	kill(shared->tree, SIGKILL);
	CHECK(waitpid(shared->tree, NULL, 0) == shared->tree);
}

/* Killed between the stop that says so and its release: it must not stay held at its exit. */
static void test_killed_letting_go(void)
{
	pid_t owner = fork();
	bool gone = false;
	int status;

	if (!owner) {
		for (;;)
			raise(SIGURG);
	}
	CHECK(guard_hold_seize(owner));
	CHECK(!guard_hold_wait(owner));
	kill(owner, SIGKILL);
	guard_hold_release(owner);
	for (int i = 0; i < 10000 && !gone; i++) {
		pid_t pid = waitpid(owner, &status, WNOHANG | __WALL);

		gone = pid < 0 || (pid && !WIFSTOPPED(status));
		usleep(gone ? 0 : 500);
	}
	CHECK(gone);
	ptrace(PTRACE_DETACH, owner, 0, 0);
}

int main(void)
{
	if (geteuid()) {
		TEST_SKIP("only root may trace its parent everywhere");
		return test_end();
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(shared != MAP_FAILED))
		return test_end();
	test_when(IN_TAKING);
	test_when(AFTER_DECISION);
	test_when(NEVER);
	test_when(TAKING_FAILS);
	for (int i = 0; i < 50; i++)
		test_killed_letting_go();
	return test_end();
}
