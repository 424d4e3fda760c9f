#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
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
	CHECK_EQ(guard_commit_begin(guard, dir_fd, pidfds, VICTIMS, commit, NULL), 0);
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
	CHECK_EQ(guard_commit_begin(guard, dir_fd, NULL, 0, commit, NULL), 0);
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

/* --- System V segments ----------------------------------------------------------- */

enum { SEGMENT_TOLD, SEGMENT_UNTOLD, SEGMENT_DROPPED, SEGMENT_FOREIGN, SEGMENTS };

static int *segments; /* shared with the child that dies */

static int new_segment(void)
{
	int id = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600);

	CHECK(id >= 0);
	return id;
}

static bool segment_exists(int id)
{
	struct shmid_ds ds;

	return !shmctl(id, IPC_STAT, &ds);
}

static void add_segments(struct guard *guard)
{
	int slot = guard_segment_add(guard);

	segments[SEGMENT_TOLD] = new_segment();
	guard_segment_made(guard, slot, segments[SEGMENT_TOLD]);
	slot = guard_segment_add(guard);
	segments[SEGMENT_DROPPED] = new_segment();
	guard_segment_made(guard, slot, segments[SEGMENT_DROPPED]);
	guard_name_drop(guard, slot);
	slot = guard_segment_add(guard);
	guard_segment_made(guard, slot, segments[SEGMENT_FOREIGN]);
}

static void die_with_segments(void)
{
	struct guard *guard;

	if (guard_start(&guard))
		_exit(1);
	add_segments(guard);
}

/* It does not know which: all that its owner has made since are meant. */
static void die_within_shmget(void)
{
	struct guard *guard;

	if (guard_start(&guard) || guard_segment_add(guard) < 0)
		_exit(1);
	segments[SEGMENT_UNTOLD] = new_segment();
}

static void die_released(void)
{
	struct guard *guard;

	if (guard_start(&guard) || guard_segment_add(guard) < 0)
		_exit(1);
	segments[SEGMENT_UNTOLD] = new_segment();
	CHECK_EQ(guard_commit_cancel(guard), 0);
}

static bool segment_vanishes(int id)
{
	for (int i = 0; i < 500 && segment_exists(id); i++)
		usleep(10000);
	return !segment_exists(id);
}

static void test_segments(void)
{
	struct guard *guard;

	segments = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	segments[SEGMENT_FOREIGN] = new_segment();
	in_killed_child(die_with_segments);
	CHECK(segment_vanishes(segments[SEGMENT_TOLD]));
	CHECK(segment_exists(segments[SEGMENT_DROPPED]) && segment_exists(segments[SEGMENT_FOREIGN]));
	shmctl(segments[SEGMENT_DROPPED], IPC_RMID, NULL);

	in_killed_child(die_within_shmget);
	CHECK(segment_vanishes(segments[SEGMENT_UNTOLD]));
	CHECK(segment_exists(segments[SEGMENT_FOREIGN]));

	in_killed_child(die_released);
	usleep(100000);
	CHECK(segment_exists(segments[SEGMENT_UNTOLD]));
	shmctl(segments[SEGMENT_UNTOLD], IPC_RMID, NULL);

	shmctl(segments[SEGMENT_FOREIGN], IPC_RMID, NULL);
	CHECK_EQ(guard_start(&guard), 0);
	add_segments(guard);
	guard_stop(guard);
	CHECK(!segment_exists(segments[SEGMENT_TOLD]) && segment_exists(segments[SEGMENT_DROPPED]));
	shmctl(segments[SEGMENT_DROPPED], IPC_RMID, NULL);
	munmap(segments, PAGE_BYTES);
}

/* --- semaphore sets and message queues ------------------------------------------------------- */

enum {
	IPC_TOLD, /* the guard's */
	IPC_DROPPED,
	IPC_FOREIGN, /* older than the guard's word on its id */
	N_IPC,
};

/* Shared with the children that make them. */
static struct ipc_ids {
	int sets[N_IPC], queues[N_IPC];
	struct stat mqueues[N_IPC];
} * ipc;

static const char *const mqueue_names[] = { "criu-guard-test-told", "criu-guard-test-dropped",
					    "criu-guard-test-foreign" };

static void make_mqueue(int which)
{
	auto_fd int fd = (int)syscall(SYS_mq_open, mqueue_names[which], O_RDWR | O_CREAT | O_EXCL, 0600, NULL);

	CHECK(fd >= 0 && !fstat(fd, &ipc->mqueues[which]));
}

static void make_ipc(int which)
{
	ipc->sets[which] = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	ipc->queues[which] = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	CHECK(ipc->sets[which] >= 0 && ipc->queues[which] >= 0);
	make_mqueue(which);
}

static bool mqueue_exists(int which)
{
	auto_fd int fd = (int)syscall(SYS_mq_open, mqueue_names[which], O_RDONLY, 0, NULL);

	return fd >= 0;
}

/* How many of the three. */
static int count_ipc(int which)
{
	struct semid_ds sem;
	struct msqid_ds msg;

	return !semctl(ipc->sets[which], 0, IPC_STAT, &sem) + !msgctl(ipc->queues[which], IPC_STAT, &msg) +
	       mqueue_exists(which);
}

static void remove_ipc(int which)
{
	semctl(ipc->sets[which], 0, IPC_RMID);
	msgctl(ipc->queues[which], IPC_RMID, NULL);
	syscall(SYS_mq_unlink, mqueue_names[which]);
}

/* The ids are known before the objects are made, the inode of a queue after it. */
static void add_ipc(struct guard *guard)
{
	int slots[N_IPC];

	for (int which = IPC_TOLD; which <= IPC_DROPPED; which++)
		make_ipc(which);
	for (int which = IPC_TOLD; which < N_IPC; which++) {
		int slot = guard_mqueue_add(guard, mqueue_names[which], GUARD_UNTIL_CANCEL);

		CHECK(slot >= 0);
		guard_mqueue_made(guard, slot, which == IPC_FOREIGN ? &ipc->mqueues[IPC_TOLD] : &ipc->mqueues[which]);
		slots[which] = slot;
	}
	guard_name_drop(guard, slots[IPC_DROPPED]);
	CHECK(guard_set_add(guard, ipc->sets[IPC_TOLD]) >= 0 && guard_queue_add(guard, ipc->queues[IPC_TOLD]) >= 0);
	CHECK(guard_set_add(guard, ipc->sets[IPC_FOREIGN]) >= 0);
	CHECK(guard_queue_add(guard, ipc->queues[IPC_FOREIGN]) >= 0);
	slots[0] = guard_set_add(guard, ipc->sets[IPC_DROPPED]);
	guard_name_drop(guard, slots[0]);
	slots[0] = guard_queue_add(guard, ipc->queues[IPC_DROPPED]);
	guard_name_drop(guard, slots[0]);
}

static void die_with_ipc(void)
{
	struct guard *guard;

	if (guard_start(&guard))
		_exit(1);
	add_ipc(guard);
}

static void die_with_ipc_released(void)
{
	struct guard *guard;

	if (guard_start(&guard))
		_exit(1);
	add_ipc(guard);
	CHECK_EQ(guard_commit_cancel(guard), 0);
}

static bool ipc_vanishes(int which)
{
	for (int i = 0; i < 500 && count_ipc(which); i++)
		usleep(10000);
	return !count_ipc(which);
}

static void test_ipc(void)
{
	struct guard *guard;

	ipc = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	make_ipc(IPC_FOREIGN);
	/* Times of System V objects are whole seconds. */
	usleep(1100000);

	in_killed_child(die_with_ipc);
	CHECK(ipc_vanishes(IPC_TOLD));
	CHECK_EQ(count_ipc(IPC_DROPPED), 3);
	CHECK_EQ(count_ipc(IPC_FOREIGN), 3);
	remove_ipc(IPC_DROPPED);

	in_killed_child(die_with_ipc_released);
	usleep(100000);
	CHECK_EQ(count_ipc(IPC_TOLD), 3);
	remove_ipc(IPC_TOLD);
	remove_ipc(IPC_DROPPED);

	CHECK_EQ(guard_start(&guard), 0);
	add_ipc(guard);
	guard_stop(guard);
	CHECK_EQ(count_ipc(IPC_TOLD), 0);
	CHECK_EQ(count_ipc(IPC_DROPPED), 3);
	CHECK_EQ(count_ipc(IPC_FOREIGN), 3);
	remove_ipc(IPC_DROPPED);
	remove_ipc(IPC_FOREIGN);
	munmap(ipc, PAGE_BYTES);
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
	test_segments();
	test_ipc();
	CHECK_EQ(rmdir(dir), 0);
	return test_end();
}
