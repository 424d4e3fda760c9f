/*
 * The guard's side. Our death shows twice: the socket reaches its end, and a pidfd of us becomes readable. The second
 * alone is certain, because children of ours may hold copies of our end of the socket.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "kernel/nft.h"
#include "kernel/syscalls.h"
#include "mem/guard-area.h"
#include "util/log.h"
#include "util/mem.h"

/* What the guard's side has received. */
struct watch {
	struct guard_area *area;
	int socket;
	int owner_pidfd;
	int dir_fd;
	size_t n_pidfds, n_takings;
	bool taken;
	bool committing;
	bool cancelled;
	bool held;  /* we are to be held at our exit */
	bool exits; /* held, and there */
};

/* --- the guard's side: only async-signal-safe calls ------------------------- */

/* Whether it is gone by that. */
static bool remove_name(const struct guard_slot *slot, int state)
{
	struct stat st;

	if (fstatat(AT_FDCWD, slot->path, &st, AT_SYMLINK_NOFOLLOW))
		return false;
	if (state == SLOT_INODE && (st.st_dev != slot->dev || st.st_ino != slot->ino))
		return false;
	return !unlinkat(AT_FDCWD, slot->path, slot->flags & GUARD_DIR ? AT_REMOVEDIR : 0);
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

static void remove_mqueue(const struct guard_slot *slot)
{
	auto_fd int fd = (int)syscall(SYS_mq_open, slot->path, O_RDONLY | O_CLOEXEC, 0, NULL);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || (slot->ino ? st.st_ino != slot->ino : st.st_ctim.tv_sec < slot->since))
		return;
	syscall(SYS_mq_unlink, slot->path);
}

static void remove_table(const struct guard_slot *slot)
{
	int err = nft_unlock(slot->path);

	/* There is nobody left to be told. */
	(void)err;
}

static bool stays(const struct watch *watch, const struct guard_slot *slot)
{
	return (watch->committing && (slot->flags & GUARD_UNTIL_COMMIT)) ||
	       (watch->cancelled && (slot->flags & GUARD_UNTIL_CANCEL)) ||
	       (!watch->cancelled && (slot->flags & GUARD_FROM_CANCEL));
}

/* Once: one directory may be in another. */
static bool remove_dirs(const struct watch *watch)
{
	struct guard_area *area = watch->area;
	int n = atomic_load(&area->n_slots);
	bool removed = false;

	for (int i = 0; i < n; i++) {
		struct guard_slot *slot = &area->slots[i];
		int state = atomic_load(&slot->state);

		if ((state == SLOT_RANDOM || state == SLOT_INODE) && (slot->flags & GUARD_DIR) && !stays(watch, slot))
			removed |= remove_name(slot, state);
	}
	return removed;
}

static void remove_names(const struct watch *watch, bool only_tables)
{
	struct guard_area *area = watch->area;
	int n = atomic_load(&area->n_slots);

	for (int i = 0; i < n; i++) {
		struct guard_slot *slot = &area->slots[i];
		int state = atomic_load(&slot->state);

		if (state == SLOT_FREE || stays(watch, slot) || (only_tables && state != SLOT_NFT_TABLE))
			continue;
		if (state == SLOT_SEGMENT)
			remove_segment_of_slot(area, slot);
		else if (state == SLOT_SET)
			remove_set(slot);
		else if (state == SLOT_QUEUE)
			remove_queue(slot);
		else if (state == SLOT_MQUEUE)
			remove_mqueue(slot);
		else if (state == SLOT_NFT_TABLE)
			remove_table(slot);
		else if (!(slot->flags & GUARD_DIR))
			remove_name(slot, state);
	}
	/* Files may be in them. */
	while (!only_tables && remove_dirs(watch))
		;
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
	if (kind == MSG_SOCKETS)
		guard_net_take(&watch->area->net, fds, n);
	for (size_t i = 0; kind == MSG_PIDFDS && i < n && watch->n_pidfds < GUARD_PIDFDS; i++)
		watch->area->pidfds[watch->n_pidfds++] = fds[i];
	for (size_t i = 0; kind == MSG_TAKINGS && i < n && watch->n_takings < GUARD_TAKINGS; i++)
		watch->area->taking_fds[watch->n_takings++] = fds[i];
}

static void give_back(struct watch *watch)
{
	struct guard_area *area = watch->area;

	if (watch->taken)
		area->takings.give_back(area->taking_fds, watch->n_takings, area->notes);
	watch->taken = false;
}

static bool owner_is_dead(const struct watch *watch)
{
	struct pollfd owner = { .fd = watch->owner_pidfd, .events = POLLIN };

	return poll(&owner, 1, 0) == 1;
}

static int take(struct watch *watch)
{
	struct guard_area *area = watch->area;
	auto_free char *text = NULL;
	int err;

	log_hold_errors(true);
	err = area->takings.take(watch->dir_fd, area->taking_fds, watch->n_takings, area->notes);
	if (!err)
		return 0;
	text = log_held_error();
	strncpy(area->take_text, text, sizeof(area->take_text) - 1);
	area->take_error = err;
	return err;
}

static bool owner_is_lost(struct watch *watch)
{
	if (watch->held && !watch->exits)
		watch->exits = guard_hold_exits(watch->area->owner);
	return watch->exits || owner_is_dead(watch);
}

/*
 * The decision, if nothing has to be taken first. What is taken is of one piece with the rest of the images only if the
 * tree stood still all the while, that is, if its owner lives. Should the owner of a dump die from here on, the tree stands still
 * until it has everything back, or is killed (hold()).
 */
static bool decide(struct watch *watch)
{
	if (watch->area->takings.take)
		watch->held = guard_hold_seize(watch->area->owner);
	if (watch->n_takings) {
		if (owner_is_lost(watch))
			return false;
		watch->taken = true;
		if (take(watch) || owner_is_lost(watch)) {
			give_back(watch);
			return false;
		}
	}
	watch->committing = true;
	return true;
}

/* False: it can't be done. */
static bool do_as_told(struct watch *watch, char kind)
{
	switch (kind) {
	case MSG_COMMIT:
		return decide(watch);
	case MSG_CANCEL:
		give_back(watch);
		/* From here on the restored tasks live without their owner, but their connections are in repair mode. */
		if (watch->area->net.restoring)
			watch->held = guard_hold_seize(watch->area->owner);
		watch->committing = false;
		watch->cancelled = true;
		return true;
	case MSG_GIVE_BACK:
		give_back(watch);
		return true;
	case MSG_FORGET:
		guard_net_forget(&watch->area->net);
		return true;
	case MSG_HOLD:
		watch->held = guard_hold_seize(watch->area->owner);
		return true;
	default:
		return true;
	}
}

/* Returns the message's kind, or 0 at the end of the stream or if it was refused. */
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
	if (msg.msg_flags & MSG_CTRUNC || !do_as_told(watch, kind))
		kind = 0;
	if (send(watch->socket, &kind, 1, MSG_NOSIGNAL) != 1)
		return 0;
	return kind;
}

/* Connections that die end silently, in repair mode, for they are to live on in images. Others go on. */
static void settle_connections(struct watch *watch)
{
	const struct guard_net *net = &watch->area->net;
	const bool die = watch->committing || (net->restoring && !watch->cancelled);

	/* Before repair mode ends with a probe. */
	if (net->n && !die)
		remove_names(watch, true);
	guard_net_repair(net, die);
}

static void kill_tasks(const struct watch *watch)
{
	for (size_t i = 0; i < watch->n_pidfds; i++)
		sys_pidfd_send_signal(watch->area->pidfds[i], SIGKILL);
}

static void finish(struct watch *watch, bool orderly)
{
	if (!orderly)
		settle_connections(watch);
	if (watch->committing && !orderly) {
		kill_tasks(watch);
		if (watch->area->commit)
			watch->area->commit(watch->dir_fd);
		if (!watch->n_pidfds)
			give_back(watch);
	}
	remove_names(watch, false);
	_exit(0);
}

static void leave_everything(int *socket, int *owner_pidfd)
{
	struct rlimit limit;
	sigset_t all;
	int high_socket, high_owner;

	prctl(PR_SET_NAME, "criu-guard");
	/* The descriptors of the log will be something else. */
	log_set_level(LOG_MSG);
	log_hold_errors(true);
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

/* Until the owner lets go or exits. In either case the tree still stands where it stood. */
static void hold(struct watch *watch)
{
	const bool exits = watch->exits || guard_hold_wait(watch->area->owner);

	watch->held = watch->exits = false;
	if (watch->committing && !watch->n_pidfds)
		give_back(watch);
	if (exits && watch->committing)
		kill_tasks(watch);
	if (exits)
		settle_connections(watch);
	guard_hold_release(watch->area->owner);
}

void guard_watch(struct guard_area *area, int socket, int owner_pidfd)
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

			if (kind == MSG_STOP)
				finish(&watch, true);
			if (watch.held)
				hold(&watch);
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
