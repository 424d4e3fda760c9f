/*
 * SO_PEEK_OFF: the only way to look behind the first message of a queue. It
 * belongs to the open file description, so a task that peeks would
 * notice if it stayed set. A child of ours knows the one descriptor for which it is
 * set at the moment; when we are killed, the child puts it back.
 */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "files/unix-sk.h"

/* Shared with the child. */
struct peek_page {
	int value;
	atomic_int fd; /* -1: nothing is to be put back; stored last */
};

struct peek_guard {
	pid_t pid;
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

/* It has copies of all descriptors of sockets: those of one dump are all open before the first is read. */
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
	int err = *guard ? 0 : peek_guard_start(guard);

	if (err)
		return err;
	(*guard)->page->value = value;
	atomic_store(&(*guard)->page->fd, fd);
	return set_offset(fd, 0);
}

int peek_end(struct peek_guard *guard, int fd, int value)
{
	int err = set_offset(fd, value);

	atomic_store(&guard->page->fd, -1);
	return err;
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
