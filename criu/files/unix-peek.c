/*
 * Looking into a queue: MSG_PEEK. It doubles descriptors that are on their way,
 * as a receiver would get them; they stay in the message as well.
 *
 * SO_PEEK_OFF is the only way to look behind the first message of a queue. It
 * belongs to the open file description, so a task that peeks would
 * notice if it stayed set. A child of ours knows the one descriptor for which it is
 * set at the moment; when we are killed, the child puts it back.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "files/unix-sk.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif

/* --- one look -------------------------------------------------------------------- */

void peeked_free(struct peeked *peeked)
{
	for (size_t i = 0; i < peeked->n_rights; i++)
		close_fdp(&peeked->rights[i]);
	peeked->n_rights = 0;
}

static void take_rights(struct cmsghdr *cmsg, struct peeked *ret)
{
	const size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n && ret->n_rights < UNIX_RIGHTS_MAX; i++)
		memcpy(&ret->rights[ret->n_rights++], CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
}

/* The number of the sender comes with its pidfd, where the receiver has asked for that. */
static void close_pidfd(struct cmsghdr *cmsg)
{
	int fd = -1;

	if (cmsg->cmsg_len >= CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	close_fdp(&fd);
}

static void read_control(struct msghdr *msg, struct peeked *ret)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET)
			continue;
		if (cmsg->cmsg_type == SCM_CREDENTIALS && cmsg->cmsg_len >= CMSG_LEN(sizeof(ret->creds))) {
			ret->has_creds = true;
			memcpy(&ret->creds, CMSG_DATA(cmsg), sizeof(ret->creds));
		}
		if (cmsg->cmsg_type == SCM_RIGHTS)
			take_rights(cmsg, ret);
		if (cmsg->cmsg_type == SCM_PIDFD)
			close_pidfd(cmsg);
	}
}

static void read_sender(const struct msghdr *msg, struct peeked *ret)
{
	const size_t before = offsetof(struct sockaddr_un, sun_path);

	ret->sender_bytes = msg->msg_namelen > before ? msg->msg_namelen - before : 0;
	if (ret->sender_bytes > sizeof(ret->sender))
		ret->sender_bytes = sizeof(ret->sender);
	memcpy(ret->sender, (const char *)msg->msg_name + before, ret->sender_bytes);
}

int peek(int fd, void *buf, size_t bytes, int flags, struct peeked *ret)
{
	union unix_control control;
	struct iovec iov = { .iov_base = buf, .iov_len = bytes };
	struct sockaddr_storage sender;
	struct msghdr msg = {
		.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};

	ret->has_creds = false;
	ret->n_rights = 0;
	ret->bytes = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC | flags);
	if (ret->bytes < 0)
		return errno == EAGAIN ? 1 : fail_errno("cannot look into the queue of a socket");
	read_control(&msg, ret);
	read_sender(&msg, ret);
	if (!(msg.msg_flags & MSG_CTRUNC))
		return 0;
	peeked_free(ret);
	return fail(EMFILE,
		    "not all descriptors of a queued message could be duplicated; raise criu's limit (ulimit -n)");
}

/* --- looking behind the first message ----------------------------------------------- */

/* Shared with the child. */
struct peek_page {
	int value;
	atomic_int fd; /* -1: nothing is to be put back; stored last */
};

struct peek_guard {
	pid_t pid;
	bool outdated;
	int alive_fd; /* owned; closed when we die */
	struct peek_page *page;
};

static void stand_guard(const struct peek_page *page, int alive_fd)
{
	sigset_t all;
	char end;
	int fd;

	prctl(PR_SET_NAME, "criu-peek");
	setsid();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	while (read(alive_fd, &end, 1) < 0 && errno == EINTR)
		;
	fd = atomic_load(&page->fd);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &page->value, sizeof(page->value)))
		_exit(1);
	_exit(0);
}

/* It has copies of all descriptors of sockets: those of tables are open before the first queue is read. */
static int peek_guard_start(struct peek_guard **ret)
{
	auto_free struct peek_guard *guard = xalloc(sizeof(*guard));
	int alive[2];

	guard->page = mmap(NULL, sizeof(*guard->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guard->page == MAP_FAILED)
		return fail_errno("no memory to share with a child");
	atomic_store(&guard->page->fd, -1);
	if (pipe2(alive, O_CLOEXEC))
		return fail_errno("pipe2");
	guard->pid = fork();
	if (!guard->pid) {
		close(alive[1]);
		stand_guard(guard->page, alive[0]);
	}
	close(alive[0]);
	guard->alive_fd = alive[1];
	if (guard->pid < 0) {
		close(alive[1]);
		return fail_errno("fork");
	}
	*ret = take_ptr(guard);
	return 0;
}

static int set_offset(int fd, int value)
{
	if (setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &value, sizeof(value)))
		return fail_errno("cannot set option SO_PEEK_OFF of a socket to %d", value);
	return 0;
}

int peek_begin(struct peek_guard **guard, int fd, int value)
{
	int err;

	if (*guard && (*guard)->outdated)
		peek_guard_stop(take_ptr(*guard));
	err = *guard ? 0 : peek_guard_start(guard);
	if (err)
		return err;
	(*guard)->page->value = value;
	atomic_store(&(*guard)->page->fd, fd);
	return set_offset(fd, 0);
}

int peek_at(int fd, int offset)
{
	return set_offset(fd, offset);
}

int peek_end(struct peek_guard *guard, int fd, int value)
{
	int err = set_offset(fd, value);

	atomic_store(&guard->page->fd, -1);
	return err;
}

void peek_guard_outdate(struct peek_guard *guard)
{
	if (guard)
		guard->outdated = true;
}

void peek_guard_stop(struct peek_guard *guard)
{
	if (!guard)
		return;
	close(guard->alive_fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(guard->page, sizeof(*guard->page));
	free(guard);
}
