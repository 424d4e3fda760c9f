/*
 * share - one shared object, a process that stays (the outsider) and two that are dumped (the tree)
 *
 *   share shm|disk|ext4|memfd|anon|sysv|sysvkey|hugefile|hugememfd|hugeanon map|fd|table|long|handle|thread|flight|ring|ns|lost PATH
 *
 * The outsider makes the object and forks the tree; with "fd" it keeps but a descriptor and
 * reads through that; so it does with "table", but only a thread with a table of its own has the descriptor; with
 * "long", but by a second name, of more than 4095 bytes; and with "handle", by the file handle, before anybody looked
 * up the name, so that the kernel knows none for it. With "thread" its main thread ends and another goes on; with
 * "flight" its descriptor is on its way through a socket, where nobody sees it; with "ring" an io_uring has it registered;
 * with "ns" it goes
 * on in pid and mount namespaces of its own, as a process whose number it prints as well; with "lost" the tree keeps the
 * lock, which does not show that the outsider waits for it. A "hugefile" is the file "object" of
 * the hugetlbfs PATH.huge, an "ext4" one of a file system on a loop device, which is mounted at the directory of PATH.
 * Everybody counts in the object, under a robust lock; who finds the lock abandoned
 * says so and counts that, too. The outsider prints "ready TREE-PID", and each 10 ms its view
 * goes to the file PATH.log: "tree COUNT outsider COUNT dead COUNT".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <pthread.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES	  (4UL << 20)
#define PAGES_2MB (21 << 26)

struct shared {
	pthread_mutex_t lock;
	unsigned long tree, outsider, dead;
	char tail[];
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

#define DEEP	   20
#define DEEP_BYTES 250

/* The file @path, opened by a second name that is longer than a path may be. That name does not stay. */
static int open_deep(const char *path)
{
	char name[DEEP_BYTES + 1], up[4096];
	int dirs[DEEP + 1], fd;

	snprintf(up, sizeof(up), "%.*s", (int)(strrchr(path, '/') - path), path);
	memset(name, 'x', DEEP_BYTES);
	name[DEEP_BYTES] = '\0';
	dirs[0] = open(up, O_PATH | O_DIRECTORY);
	for (int i = 0; i < DEEP; i++) {
		if (mkdirat(dirs[i], name, 0700))
			die("mkdirat");
		dirs[i + 1] = openat(dirs[i], name, O_PATH | O_DIRECTORY);
	}
	if (linkat(AT_FDCWD, path, dirs[DEEP], name, 0))
		die("linkat");
	fd = openat(dirs[DEEP], name, O_RDWR);
	if (fd < 0 || unlinkat(dirs[DEEP], name, 0))
		die("second name");
	for (int i = DEEP; i > 0; i--) {
		close(dirs[i]);
		if (unlinkat(dirs[i - 1], name, AT_REMOVEDIR))
			die("remove a directory");
	}
	close(dirs[0]);
	return fd;
}

/* What is mounted at @dir; as it is open, the loop device stays when that is unmounted. */
static int open_device(const char *dir, char name[4096])
{
	FILE *mounts = fopen("/proc/self/mounts", "r");
	char at[4096];

	while (mounts && fscanf(mounts, "%4095s %4095s %*[^\n]", name, at) == 2)
		if (!strcmp(at, dir)) {
			fclose(mounts);
			return open(name, O_RDONLY);
		}
	die(dir);
	return -1;
}

/* The file system is mounted anew, so no name is in memory. *fd is opened anew as well, by name, but after that. */
static int open_nameless(const char *path, int *fd)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .handle.handle_bytes = MAX_HANDLE_SZ };
	char dir[4096], device[4096];
	int mount_id, device_fd, dir_fd, nameless;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	device_fd = open_device(dir, device);
	if (name_to_handle_at(*fd, "", &u.handle, &mount_id, AT_EMPTY_PATH) || close(*fd) || umount(dir) ||
	    mount(device, dir, "ext4", 0, NULL))
		die("mount anew");
	close(device_fd);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
	nameless = open_by_handle_at(dir_fd, &u.handle, O_RDWR);
	*fd = open(path, O_RDWR);
	if (nameless < 0 || *fd < 0)
		die("open by handle");
	close(dir_fd);
	return nameless;
}

/* *ret_other: another way to it, for the outsider; or -1. */
static int make(const char *kind, const char *way, const char *path, int *ret_other)
{
	char object[4096];
	int fd;

	if (strstr(kind, "anon") || strstr(kind, "sysv"))
		return -1;
	snprintf(object, sizeof(object), strcmp(kind, "hugefile") ? "%s" : "%s.huge/object", path);
	fd = strstr(kind, "memfd")
		     ? (int)syscall(SYS_memfd_create, "shared", *kind == 'h' ? MFD_HUGETLB | PAGES_2MB : 0)
		     : open(object, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, BYTES))
		die(path);
	if (!strcmp(way, "long"))
		*ret_other = open_deep(path);
	else if (!strcmp(way, "handle"))
		*ret_other = open_nameless(path, &fd);
	if (!strstr(kind, "memfd") && unlink(object))
		die(path);
	return fd;
}

/* It goes with those who have it attached, except a "sysvkey". */
static void *attach_segment(const char *kind)
{
	bool keyed = !strcmp(kind, "sysvkey");
	int id = shmget(keyed ? getpid() : IPC_PRIVATE, BYTES, IPC_CREAT | IPC_EXCL | 0600);
	void *at = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);

	if (at == MAP_FAILED || (!keyed && shmctl(id, IPC_RMID, NULL)))
		die("System V segment");
	return at;
}

static void lock(struct shared *shared)
{
	int err = pthread_mutex_lock(&shared->lock);

	if (err == EOWNERDEAD) {
		shared->dead++;
		pthread_mutex_consistent(&shared->lock);
		err = 0;
	}
	if (err) {
		fprintf(stderr, "lock: %s\n", strerror(err));
		exit(3);
	}
}

static void count(struct shared *shared, unsigned long *counter, unsigned int hold_us)
{
	lock(shared);
	++*counter;
	usleep(hold_us);
	pthread_mutex_unlock(&shared->lock);
	usleep(500);
}

/*
 * For good. The lock forgets who waits, as it does when it is freed and taken again before a waiter was woken. Those who
 * are about to wait notice and mark it again.
 */
static void keep_lock(struct shared *shared)
{
	for (lock(shared);; usleep(1000))
		__atomic_and_fetch(&shared->lock.__data.__lock, ~(int)FUTEX_WAITERS, __ATOMIC_SEQ_CST);
}

/* The tree holds the lock most of the time: so it does when it is killed. */
static void run_tree(struct shared *shared, bool lost)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid < 0)
		die("fork");
	if (lost && pid)
		keep_lock(shared);
	while (lost)
		pause();
	for (;;)
		count(shared, &shared->tree, 3000);
}

static void tell(const struct shared *seen, const char *path)
{
	char new[4096], log[4096];
	FILE *file;

	snprintf(new, sizeof(new), "%s.new", path);
	snprintf(log, sizeof(log), "%s.log", path);
	file = fopen(new, "w");
	if (!file)
		die(new);
	fprintf(file, "tree %lu outsider %lu dead %lu\n", seen->tree, seen->outsider, seen->dead);
	if (fclose(file) || rename(new, log))
		die(log);
}

static void run_outsider(struct shared *shared, int fd, const char *path)
{
	struct shared seen;

	for (;;) {
		if (fd >= 0) {
			if (pread(fd, &seen, sizeof(seen), 0) != sizeof(seen))
				die("pread");
			usleep(10000);
		} else {
			count(shared, &shared->outsider, 0);
			seen = *shared;
		}
		tell(&seen, path);
	}
}

struct outsider {
	struct shared *shared;
	const char *path;
	int fd;
	pthread_barrier_t *unshared;
};

static void *run_thread(void *arg)
{
	const struct outsider *outsider = arg;

	run_outsider(outsider->shared, -1, outsider->path);
	return NULL;
}

static void *run_with_table(void *arg)
{
	const struct outsider *outsider = arg;

	if (unshare(CLONE_FILES))
		die("unshare");
	pthread_barrier_wait(outsider->unshared);
	run_outsider(NULL, outsider->fd, outsider->path);
	return NULL;
}

/* The descriptor stays in the table of a thread only. Others have the table that has it no more, or a copy of that. */
static void leave_to_table(int fd, const char *path)
{
	static struct outsider outsider;
	static pthread_barrier_t unshared;
	pthread_t thread;

	outsider = (struct outsider){ .fd = fd, .path = path, .unshared = &unshared };
	if (pthread_barrier_init(&unshared, NULL, 2) || pthread_create(&thread, NULL, run_with_table, &outsider))
		die("pthread_create");
	pthread_barrier_wait(&unshared);
	close(fd);
}

/* From now on /proc shows nothing of it but its threads. */
static void leave_to_thread(struct shared *shared, const char *path)
{
	static struct outsider outsider;
	pthread_t thread;

	outsider = (struct outsider){ .shared = shared, .path = path };
	if (pthread_create(&thread, NULL, run_thread, &outsider))
		die("pthread_create");
	pthread_exit(NULL);
}

/* Where it is the first process, and knows the tree by no number. */
static void leave_to_namespaces(struct shared *shared, const char *path, pid_t tree)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID | CLONE_NEWNS))
		die("unshare");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		run_outsider(shared, -1, path);
	munmap(shared, BYTES);
	printf("ready %d %d\n", tree, pid);
	fflush(stdout);
	waitpid(pid, NULL, 0);
	exit(0);
}

static void send_away(int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
			      .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	int ends[2];

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || sendmsg(ends[0], &message, 0) != 1)
		die("send a descriptor");
	close(fd);
}

static void register_away(int fd)
{
	struct io_uring_params params = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);

	if (ring < 0) {
		printf("no io_uring: %s\n", strerror(errno));
		exit(0);
	}
	if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &fd, 1))
		die("register a file with an io_uring");
	close(fd);
}

int main(int argc, char **argv)
{
	pthread_mutexattr_t attr;
	struct shared *shared;
	bool by_fd, by_table, unseen;
	pid_t pid;
	int fd, anon, other = -1;

	if (argc != 4) {
		fprintf(stderr, "usage: share shm|disk|ext4|memfd|anon|sysv|sysvkey|hugefile|hugememfd|hugeanon "
				"map|fd|table|long|handle|thread|flight|ring|ns|lost PATH\n");
		return 2;
	}
	by_fd = !strcmp(argv[2], "fd");
	by_table = !strcmp(argv[2], "table");
	unseen = !strcmp(argv[2], "flight") || !strcmp(argv[2], "ring");
	signal(SIGCHLD, SIG_IGN);
	fd = make(argv[1], argv[2], argv[3], &other);
	anon = MAP_ANONYMOUS | (!strcmp(argv[1], "hugeanon") ? MAP_HUGETLB | PAGES_2MB : 0);
	shared = strstr(argv[1], "sysv")
			 ? attach_segment(argv[1])
			 : mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | (fd < 0 ? anon : 0), fd, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&shared->lock, &attr);
	strcpy(shared->tail + BYTES / 2, "half of it");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		if (fd >= 0 && strcmp(argv[2], "map"))
			close(fd);
		if (other >= 0)
			close(other);
		run_tree(shared, !strcmp(argv[2], "lost"));
	}
	tell(shared, argv[3]);
	if (other >= 0) {
		by_fd = true;
		close(fd);
		fd = other;
	}
	if (by_fd || unseen || by_table)
		munmap(shared, BYTES);
	if (by_table)
		leave_to_table(fd, argv[3]);
	if (!strcmp(argv[2], "flight"))
		send_away(fd);
	else if (unseen)
		register_away(fd);
	else if (fd >= 0 && !by_fd && !by_table)
		close(fd);
	if (!strcmp(argv[2], "ns"))
		leave_to_namespaces(shared, argv[3], pid);
	printf("ready %d\n", pid);
	fflush(stdout);
	while (unseen || by_table)
		pause();
	if (!strcmp(argv[2], "thread"))
		leave_to_thread(shared, argv[3]);
	run_outsider(shared, by_fd ? fd : -1, argv[3]);
	return 0;
}
