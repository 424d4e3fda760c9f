#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "kernel/syscalls.h"
#include "mem/guard.h"
#include "util/mem.h"
#include "util/test.h"

static char dir[] = "/dev/shm/guard-test.XXXXXX";

static char *in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void make_file(const char *name, struct stat *ret_st)
{
	auto_free char *path = in_dir(name);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !fstat(fd, ret_st));
}

static bool exists(const char *name)
{
	auto_free char *path = in_dir(name);

	return !access(path, F_OK);
}

/* The guard works in its own time. */
static bool vanishes(const char *name)
{
	for (int i = 0; i < 500 && exists(name); i++)
		usleep(10000);
	return !exists(name);
}

static void remove_file(const char *name)
{
	auto_free char *path = in_dir(name);

	unlink(path);
}

static void add(struct guard *guard, const char *name, const struct stat *st, int flags)
{
	auto_free char *path = in_dir(name);

	CHECK(guard_name_add(guard, path, st, flags) >= 0);
}

/* Run @body in a process of its own, which kills itself at the end. */
static void in_killed_child(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		body();
		kill(getpid(), SIGKILL);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

static void die_with_names(void)
{
	struct guard *guard;
	struct stat st, other;
	char *path;
	int slot;

	if (guard_start(&guard))
		_exit(1);
	make_file("ours", &st);
	add(guard, "ours", &st, 0);
	make_file("random", &st);
	add(guard, "random", NULL, 0);
	make_file("dropped", &st);
	path = in_dir("dropped");
	slot = guard_name_add(guard, path, &st, 0);
	guard_name_drop(guard, slot);
	make_file("replaced", &other);
	other.st_ino++;
	add(guard, "replaced", &other, 0);
	path = in_dir("directory");
	if (mkdir(path, 0700) || stat(path, &st))
		_exit(1);
	add(guard, "directory", &st, GUARD_DIR);
	make_file("link", &st);
	add(guard, "link", &st, GUARD_UNTIL_COMMIT);
}

static void test_death(void)
{
	in_killed_child(die_with_names);
	CHECK(vanishes("ours"));
	CHECK(vanishes("random"));
	CHECK(vanishes("directory"));
	CHECK(vanishes("link"));
	CHECK(exists("dropped"));
	CHECK(exists("replaced"));
	remove_file("dropped");
	remove_file("replaced");
}

static void test_orderly(void)
{
	struct guard *guard;
	struct stat st;

	CHECK_EQ(guard_start(&guard), 0);
	make_file("left", &st);
	add(guard, "left", &st, 0);
	guard_stop(guard);
	CHECK(!exists("left"));
}

/* --- commit ------------------------------------------------------------------ */

static int victim_pipe[2];

static int commit(int dir_fd)
{
	int fd = openat(dir_fd, "committed", O_CREAT | O_WRONLY, 0600);

	return fd < 0 ? -errno : close(fd);
}

#define VICTIMS 450 /* more than one message holds */

static void start_commit(struct guard *guard)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int pidfds[VICTIMS];
	struct stat st;

	make_file("link", &st);
	add(guard, "link", &st, GUARD_UNTIL_COMMIT);
	make_file("ours", &st);
	add(guard, "ours", &st, 0);
	for (int i = 0; i < VICTIMS; i++) {
		pid_t pid = fork();

		if (!pid) {
			for (;;)
				pause();
		}
		pidfds[i] = sys_pidfd_open(pid, 0);
	}
	CHECK_EQ(guard_commit_begin(guard, dir_fd, pidfds, VICTIMS, commit), 0);
}

static void die_in_commit(void)
{
	struct guard *guard;

	if (guard_start(&guard))
		_exit(1);
	start_commit(guard);
}

/* The victims hold the writing end of a pipe: its end tells that all of them are gone. */
static void test_commit(void)
{
	struct pollfd poller;
	bool done = false;

	CHECK_EQ(pipe(victim_pipe), 0);
	in_killed_child(die_in_commit);
	close(victim_pipe[1]);
	poller = (struct pollfd){ .fd = victim_pipe[0], .events = POLLIN };
	CHECK(poll(&poller, 1, 30000) == 1 && (poller.revents & POLLHUP));
	close(victim_pipe[0]);
	CHECK(vanishes("ours"));
	for (int i = 0; i < 500 && !done; i++) {
		done = exists("committed");
		usleep(10000);
	}
	CHECK(done);
	CHECK(exists("link"));
	remove_file("committed");
	remove_file("link");
}

static void test_commit_orderly(void)
{
	struct guard *guard;
	struct stat st;
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	CHECK_EQ(guard_start(&guard), 0);
	make_file("link", &st);
	add(guard, "link", &st, GUARD_UNTIL_COMMIT);
	CHECK_EQ(guard_commit_begin(guard, dir_fd, NULL, 0, commit), 0);
	guard_stop(guard);
	close(dir_fd);
	CHECK(exists("link"));
	CHECK(!exists("committed"));
	remove_file("link");
}

/* Names come and go all the time: slots are used again. */
static void test_slots(void)
{
	struct guard *guard;
	struct stat st = { .st_ino = 1 };
	int first = -1;

	CHECK_EQ(guard_start(&guard), 0);
	for (int i = 0; i < 10000; i++) {
		int slot = guard_name_add(guard, "/no/such/file", &st, 0);

		if (first < 0)
			first = slot;
		if (slot != first)
			CHECK_EQ(slot, first);
		guard_name_drop(guard, slot);
	}
	guard_stop(guard);
	CHECK(guard_name_add(NULL, "/anything", &st, 0) >= 0);
	guard_name_drop(NULL, 0);
	guard_stop(NULL);
}

int main(void)
{
	if (!mkdtemp(dir)) {
		TEST_SKIP("no directory in /dev/shm");
		return test_end();
	}
	test_death();
	test_orderly();
	test_commit();
	test_commit_orderly();
	test_slots();
	CHECK_EQ(rmdir(dir), 0);
	return test_end();
}
