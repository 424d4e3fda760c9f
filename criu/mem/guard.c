/*
 * What the guard has to do stands in memory shared with us, so registering a name costs no system call and is
 * complete at any instruction we can be killed at: the slot's state is stored last.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel/syscalls.h"
#include "mem/guard-area.h"
#include "util/log.h"
#include "util/mem.h"

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
		guard_watch(guard->area, pair[1], owner);
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

int guard_new_slot(struct guard *guard, const char *what, struct guard_slot **ret)
{
	*ret = free_slot(guard->area);
	return *ret ? *ret - guard->area->slots
		    : fail(ENOSPC, "guard: %s: %d temporary names exist already", what, GUARD_NAMES);
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

int guard_mqueue_add(struct guard *guard, const char *name, int flags)
{
	struct guard_slot *slot;
	int ret;

	if (!guard)
		return 0;
	ret = guard_new_slot(guard, name, &slot);
	if (ret < 0)
		return ret;
	snprintf(slot->path, sizeof(slot->path), "%s", name);
	slot->flags = flags;
	slot->since = time(NULL);
	slot->ino = 0;
	atomic_store(&slot->state, SLOT_MQUEUE);
	return ret;
}

void guard_mqueue_made(struct guard *guard, int slot, const struct stat *inode)
{
	if (!guard)
		return;
	guard->area->slots[slot].ino = inode->st_ino;
	atomic_store(&guard->area->slots[slot].state, SLOT_MQUEUE);
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
	if (recv(guard->socket, &answer, 1, 0) == 1 && answer == kind)
		return 0;
	if (guard->area->take_error) {
		pr_err("%s", guard->area->take_text);
		return guard->area->take_error;
	}
	return fail(EPIPE, "guard: no answer to message '%c'", kind);
}

int guard_tell(struct guard *guard, char kind, const int *fds, size_t n)
{
	size_t done = 0;
	int err;

	do {
		const size_t part = min_u64(n - done, FDS_PER_MESSAGE);

		err = tell(guard, kind, fds + done, part);
		done += part;
	} while (!err && done < n);
	return err;
}

void *guard_notes(struct guard *guard)
{
	return guard ? guard->area->notes : NULL;
}

int guard_commit_begin(struct guard *guard, int dir_fd, const int *pidfds, size_t n, int (*commit)(int dir_fd),
		       const struct guard_takings *takings)
{
	int err;

	if (!guard)
		return 0;
	if (n > GUARD_PIDFDS)
		return fail(E2BIG, "guard: %zu processes, at most %d can be committed at once", n, GUARD_PIDFDS);
	if (takings && takings->n > GUARD_TAKINGS)
		return fail(E2BIG, "guard: %zu terminals and queues, at most %d can be committed at once", takings->n,
			    GUARD_TAKINGS);
	guard->area->commit = commit;
	if (takings)
		guard->area->takings = *takings;
	err = tell(guard, MSG_DIR, &dir_fd, 1);
	if (!err)
		err = guard_tell(guard, MSG_PIDFDS, pidfds, n);
	if (!err && takings)
		err = guard_tell(guard, MSG_TAKINGS, takings->fds, takings->n);
	if (!err)
		err = tell(guard, MSG_COMMIT, NULL, 0);
	return err;
}

int guard_give_back(struct guard *guard)
{
	return guard ? tell(guard, MSG_GIVE_BACK, NULL, 0) : 0;
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
