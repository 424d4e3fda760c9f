/*
 * Our death shows twice: the socket reaches its end, and a pidfd of us becomes readable. The second
 * alone is certain, because children of ours may hold copies of our end of the socket.
 * What the guard has to do stands in memory shared with us, so registering a name costs no system call and is
 * complete at any instruction we can be killed at: the slot's state is stored last.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/syscalls.h"
#include "mem/guard.h"
#include "util/log.h"
#include "util/mem.h"

#define GUARD_NAMES	2048
#define GUARD_PIDFDS	65536
#define FDS_PER_MESSAGE 200 /* below SCM_MAX_FD (253) */

enum slot_state {
	SLOT_FREE,
	SLOT_RANDOM, /* the name alone proves that the file is ours */
	SLOT_INODE,  /* remove it only while it is this inode */
	SLOT_SEGMENT,
	SLOT_SET,
	SLOT_QUEUE,
};

struct guard_slot {
	atomic_int state;
	int flags;
	dev_t dev;
	ino_t ino;
	atomic_int id; /* of a System V object; -1: it may not have been made yet, or its id not been told */
	time_t since;  /* objects of before are none of ours, even if their maker had our pid */
	char path[PATH_MAX];
};

struct guard_area {
	int (*commit)(int dir_fd);
	pid_t owner;
	atomic_int n_slots; /* slots ever used */
	struct guard_slot slots[GUARD_NAMES];
	int pidfds[GUARD_PIDFDS]; /* the guard's own numbers */
};

struct guard {
	pid_t pid;
	int socket; /* owned */
	struct guard_area *area;
};

/* What the guard's side has received. */
struct watch {
	struct guard_area *area;
	int socket;
	int owner_pidfd;
	int dir_fd;
	size_t n_pidfds;
	bool committing;
	bool cancelled;
};

enum message {
	MSG_DIR = 'd',
	MSG_PIDFDS = 'p',
	MSG_COMMIT = 'c',
	MSG_CANCEL = 'x',
	MSG_STOP = 's',
};

/* --- the guard's side: only async-signal-safe calls ------------------------- */

static void remove_name(const struct guard_slot *slot, int state)
{
	struct stat st;

	if (fstatat(AT_FDCWD, slot->path, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (state == SLOT_INODE && (st.st_dev != slot->dev || st.st_ino != slot->ino))
		return;
	unlinkat(AT_FDCWD, slot->path, slot->flags & GUARD_DIR ? AT_REMOVEDIR : 0);
}

/* The id may be another process's by now, and the segment then has another maker. */
static void remove_segment(const struct guard_area *area, int id, time_t since)
{
	struct shmid_ds ds;

	if (!shmctl(id, IPC_STAT, &ds) && ds.shm_cpid == area->owner && ds.shm_ctime >= since)
		shmctl(id, IPC_RMID, NULL);
}

static void remove_segment_of_slot(const struct guard_area *area, const struct guard_slot *slot)
{
	int id = atomic_load(&slot->id);
	struct shmid_ds ds;
	struct shm_info info;
	int last;

	if (id >= 0) {
		remove_segment(area, id, slot->since);
		return;
	}
	last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);
	for (int i = 0; i <= last; i++) {
		id = shmctl(i, SHM_STAT_ANY, &ds);
		if (id >= 0)
			remove_segment(area, id, slot->since);
	}
}

/* Their ids were free, and nobody else gets such an id who does not ask for it. */
static void remove_set(const struct guard_slot *slot)
{
	struct semid_ds ds;
	int id = atomic_load(&slot->id);
	union {
		struct semid_ds *ds;
	} arg = { &ds };

	if (!semctl(id, 0, IPC_STAT, arg) && ds.sem_ctime >= slot->since)
		semctl(id, 0, IPC_RMID);
}

static void remove_queue(const struct guard_slot *slot)
{
	struct msqid_ds ds;
	int id = atomic_load(&slot->id);

	if (!msgctl(id, IPC_STAT, &ds) && ds.msg_ctime >= slot->since)
		msgctl(id, IPC_RMID, NULL);
}

static bool stays(const struct watch *watch, const struct guard_slot *slot)
{
	return (watch->committing && (slot->flags & GUARD_UNTIL_COMMIT)) ||
	       (watch->cancelled && (slot->flags & GUARD_UNTIL_CANCEL));
}

static void remove_names(const struct watch *watch)
{
	struct guard_area *area = watch->area;
	int n = atomic_load(&area->n_slots);

	for (int i = 0; i < n; i++) {
		struct guard_slot *slot = &area->slots[i];
		int state = atomic_load(&slot->state);

		if (state == SLOT_FREE || stays(watch, slot))
			continue;
		if (state == SLOT_SEGMENT)
			remove_segment_of_slot(area, slot);
		else if (state == SLOT_SET)
			remove_set(slot);
		else if (state == SLOT_QUEUE)
			remove_queue(slot);
		else
			remove_name(slot, state);
	}
}

static void take_fds(struct watch *watch, char kind, const struct cmsghdr *cmsg)
{
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fds[FDS_PER_MESSAGE];

	if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS || n > FDS_PER_MESSAGE)
		return;
	memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
	if (kind == MSG_DIR && n == 1)
		watch->dir_fd = fds[0];
	for (size_t i = 0; kind == MSG_PIDFDS && i < n && watch->n_pidfds < GUARD_PIDFDS; i++)
		watch->area->pidfds[watch->n_pidfds++] = fds[i];
}

/* Returns the message's kind, or 0 at the end of the stream. */
static char take_message(struct watch *watch)
{
	char kind = 0;
	union {
		char bytes[CMSG_SPACE(FDS_PER_MESSAGE * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &kind, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *cmsg;

	if (recvmsg(watch->socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return 0;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		take_fds(watch, kind, cmsg);
	/* A descriptor that did not arrive is a process that would survive: say no. */
	if (msg.msg_flags & MSG_CTRUNC)
		kind = 0;
	if (send(watch->socket, &kind, 1, MSG_NOSIGNAL) != 1)
		return 0;
	return kind;
}

static void finish(struct watch *watch, bool orderly)
{
	if (watch->committing && !orderly) {
		for (size_t i = 0; i < watch->n_pidfds; i++)
			sys_pidfd_send_signal(watch->area->pidfds[i], SIGKILL);
		if (watch->area->commit)
			watch->area->commit(watch->dir_fd);
	}
	remove_names(watch);
	_exit(0);
}

static void leave_everything(int *socket, int *owner_pidfd)
{
	struct rlimit limit;
	sigset_t all;
	int high_socket, high_owner;

	prctl(PR_SET_NAME, "criu-guard");
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (chdir("/"))
		_exit(1);

	/* A pipe or terminal of ours must not stay open through us: keep two descriptors, drop the rest. */
	high_socket = fcntl(*socket, F_DUPFD_CLOEXEC, 10);
	high_owner = fcntl(*owner_pidfd, F_DUPFD_CLOEXEC, 10);
	*socket = dup3(high_socket, 0, O_CLOEXEC);
	*owner_pidfd = dup3(high_owner, 1, O_CLOEXEC);
	if (*socket != 0 || *owner_pidfd != 1)
		_exit(1);
	close_range(2, ~0U, 0);

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void watch_owner(struct guard_area *area, int socket, int owner_pidfd)
{
	struct watch watch = { .area = area, .dir_fd = -1 };

	leave_everything(&socket, &owner_pidfd);
	watch.socket = socket;
	watch.owner_pidfd = owner_pidfd;
	for (;;) {
		struct pollfd polls[] = { { .fd = socket, .events = POLLIN }, { .fd = owner_pidfd, .events = POLLIN } };

		if (poll(polls, ARRAY_SIZE(polls), -1) < 0)
			continue;
		/* Messages sent before the death count: a commit may be among them. */
		if (polls[0].revents & POLLIN) {
			char kind = take_message(&watch);

			if (kind == MSG_COMMIT)
				watch.committing = true;
			if (kind == MSG_CANCEL) {
				watch.committing = false;
				watch.cancelled = true;
			}
			if (kind == MSG_STOP)
				finish(&watch, true);
			if (kind)
				continue;
		}
		if (polls[1].revents)
			finish(&watch, false);
		if (polls[0].revents & POLLHUP) {
			/* All copies of the other end are closed; the pidfd follows at once. */
			poll(&polls[1], 1, 1000);
			finish(&watch, false);
		}
	}
}

/* --- our side ---------------------------------------------------------------- */

int guard_start(struct guard **ret)
{
	auto_fd int owner = sys_pidfd_open(getpid(), 0);
	struct guard *guard;
	int pair[2];

	if (owner < 0)
		return fail(-owner, "guard: pidfd of this process");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return fail_errno("guard: socket pair");
	guard = xalloc(sizeof(*guard));
	guard->socket = pair[0];
	guard->area = mmap(NULL, sizeof(*guard->area), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (guard->area == MAP_FAILED) {
		int err = fail_errno("guard: %zu bytes of shared memory", sizeof(*guard->area));

		close(pair[0]);
		close(pair[1]);
		free(guard);
		return err;
	}
	guard->area->owner = getpid();
	guard->pid = fork();
	if (!guard->pid)
		watch_owner(guard->area, pair[1], owner);
	close(pair[1]);
	if (guard->pid < 0) {
		int err = fail_errno("guard: fork");

		close(pair[0]);
		munmap(guard->area, sizeof(*guard->area));
		free(guard);
		return err;
	}
	*ret = guard;
	return 0;
}

pid_t guard_pid(const struct guard *guard)
{
	return guard ? guard->pid : 0;
}

static struct guard_slot *free_slot(struct guard_area *area)
{
	int n = atomic_load(&area->n_slots);

	for (int i = 0; i < n; i++)
		if (atomic_load(&area->slots[i].state) == SLOT_FREE)
			return &area->slots[i];
	if (n == GUARD_NAMES)
		return NULL;
	atomic_store(&area->n_slots, n + 1);
	return &area->slots[n];
}

int guard_name_add(struct guard *guard, const char *path, const struct stat *inode, int flags)
{
	struct guard_slot *slot;

	if (!guard)
		return 0;
	if (path[0] != '/' || strlen(path) >= sizeof(slot->path))
		return fail(ENAMETOOLONG, "guard: %s: not an absolute path of fewer than %d bytes", path, PATH_MAX);
	slot = free_slot(guard->area);
	if (!slot)
		return fail(ENOSPC, "guard: %s: %d temporary names exist already", path, GUARD_NAMES);
	strcpy(slot->path, path);
	slot->flags = flags;
	if (inode) {
		slot->dev = inode->st_dev;
		slot->ino = inode->st_ino;
	}
	atomic_store(&slot->state, inode ? SLOT_INODE : SLOT_RANDOM);
	return slot - guard->area->slots;
}

void guard_name_inode(struct guard *guard, int slot, const struct stat *inode)
{
	if (!guard)
		return;
	guard->area->slots[slot].dev = inode->st_dev;
	guard->area->slots[slot].ino = inode->st_ino;
	atomic_store(&guard->area->slots[slot].state, SLOT_INODE);
}

void guard_name_drop(struct guard *guard, int slot)
{
	if (guard)
		atomic_store(&guard->area->slots[slot].state, SLOT_FREE);
}

static int sysv_add(struct guard *guard, enum slot_state kind, int id)
{
	struct guard_slot *slot;

	if (!guard)
		return 0;
	slot = free_slot(guard->area);
	if (!slot)
		return fail(ENOSPC, "guard: a System V object: %d temporary names exist already", GUARD_NAMES);
	slot->flags = GUARD_UNTIL_CANCEL;
	slot->since = time(NULL);
	atomic_store(&slot->id, id);
	atomic_store(&slot->state, kind);
	return slot - guard->area->slots;
}

int guard_segment_add(struct guard *guard)
{
	return sysv_add(guard, SLOT_SEGMENT, -1);
}

int guard_set_add(struct guard *guard, int id)
{
	return sysv_add(guard, SLOT_SET, id);
}

int guard_queue_add(struct guard *guard, int id)
{
	return sysv_add(guard, SLOT_QUEUE, id);
}

void guard_segment_made(struct guard *guard, int slot, int id)
{
	if (guard)
		atomic_store(&guard->area->slots[slot].id, id);
}

/* The guard answers every message with its kind once it has done as told. */
static int tell(struct guard *guard, char kind, const int *fds, size_t n_fds)
{
	char answer = 0;
	union {
		char bytes[CMSG_SPACE(FDS_PER_MESSAGE * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { &kind, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		struct cmsghdr *cmsg;

		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	if (sendmsg(guard->socket, &msg, MSG_NOSIGNAL) != 1)
		return fail_errno("guard: send message '%c'", kind);
	if (recv(guard->socket, &answer, 1, 0) != 1 || answer != kind)
		return fail(EPIPE, "guard: no answer to message '%c'", kind);
	return 0;
}

int guard_commit_begin(struct guard *guard, int dir_fd, const int *pidfds, size_t n, int (*commit)(int dir_fd))
{
	int err;

	if (!guard)
		return 0;
	if (n > GUARD_PIDFDS)
		return fail(E2BIG, "guard: %zu processes, at most %d can be committed at once", n, GUARD_PIDFDS);
	guard->area->commit = commit;
	err = tell(guard, MSG_DIR, &dir_fd, 1);
	for (size_t i = 0; !err && i < n; i += FDS_PER_MESSAGE)
		err = tell(guard, MSG_PIDFDS, pidfds + i, min_u64(n - i, FDS_PER_MESSAGE));
	return err ?: tell(guard, MSG_COMMIT, NULL, 0);
}

int guard_commit_cancel(struct guard *guard)
{
	return guard ? tell(guard, MSG_CANCEL, NULL, 0) : 0;
}

void guard_stop(struct guard *guard)
{
	if (!guard)
		return;
	/* Without an answer the guard is dead, and there is nothing it could do any more. */
	if (tell(guard, MSG_STOP, NULL, 0))
		pr_warn("guard: process %d was killed by somebody", guard->pid);
	close(guard->socket);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(guard->area, sizeof(*guard->area));
	free(guard);
}
