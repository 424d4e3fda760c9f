/*
 * Opening the descriptions of a pty that was made anew (pty-make.c).
 *
 * A master can be opened only once, so the one that made the pty is its description. A slave is opened by its
 * name, which its link then reads, as often as there are descriptions. One that was opened as /dev/tty
 * can only be had in a session that has the terminal: a process of criu's becomes that for the moment.
 */
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "files/pty-make.h"
#include "kernel/path.h"

/* A master can be opened only once. */
static int open_master(struct pty *pty, int flags, struct made_file *ret)
{
	if (pty->master_opened)
		return fail(EINVAL, "pty %" PRIu32 " has two masters", pty->index);
	if (fcntl(pty->master_fd, F_SETFL, flags))
		return fail_errno("pty %" PRIu32 ": F_SETFL", pty->index);
	/* Others go on with it until ttys_made(). */
	ret->fd = fcntl(pty->master_fd, F_DUPFD_CLOEXEC, 0);
	if (ret->fd < 0)
		return fail_errno("pty %" PRIu32 ": master", pty->index);
	pty->master_opened = true;
	return 0;
}

static bool is_slave_of(int fd, const struct pty *pty)
{
	struct stat st, slave;

	return !fstat(fd, &st) && !fstat(pty->slave_fd, &slave) && st.st_dev == slave.st_dev &&
	       st.st_ino == slave.st_ino;
}

/* By its name, which is what its link reads; without one, through the master. */
static int open_slave(const struct model *model, const struct pty *pty, const FileEntry *entry, int flags,
		      struct made_file *ret)
{
	const FileEntry *reg = entry->tty->has_regf_id ? model_file(model, entry->tty->regf_id) : NULL;
	auto_fd int fd = reg && reg->reg ? path_open(reg->reg->name, flags | O_NOCTTY) : -1;

	if (fd >= 0 && is_slave_of(fd, pty)) {
		ret->fd = take_fd(&fd);
		return 0;
	}
	ret->fd = ioctl(pty->master_fd, TIOCGPTPEER, flags | O_NOCTTY | O_CLOEXEC);
	return ret->fd < 0 ? fail_errno("pty %" PRIu32 ": cannot open its slave", pty->index) : 0;
}

struct opener {
	int slave_fd, flags, fd;
	const char *name;
};

/* In a process that shares our descriptors. It gives the terminal up again: ending with it would hang it up. */
static int open_as_session(void *arg)
{
	struct opener *opener = arg;

	signal(SIGHUP, SIG_IGN);
	opener->fd = -EPERM;
	if (setsid() < 0 || ioctl(opener->slave_fd, TIOCSCTTY, 0)) {
		opener->fd = -errno;
		return 0;
	}
	opener->fd = open(opener->name, opener->flags | O_CLOEXEC);
	if (opener->fd < 0)
		opener->fd = -errno;
	if (ioctl(opener->slave_fd, TIOCNOTTY) && opener->fd >= 0) {
		close(opener->fd);
		opener->fd = -errno;
	}
	return 0;
}

/* Only in a session that has the terminal /dev/tty leads there: for the moment that is one of our own. */
int tty_open_in_session(int tty_fd, const struct model *model, const FileEntry *entry, int flags)
{
	enum { STACK_BYTES = 64 * 1024 };
	const FileEntry *reg = entry->tty->has_regf_id ? model_file(model, entry->tty->regf_id) : NULL;
	struct opener opener = { .slave_fd = tty_fd, .flags = flags, .fd = -EINVAL };
	auto_free char *stack = xalloc(STACK_BYTES);
	pid_t pid;

	opener.name = reg && reg->reg ? reg->reg->name : "/dev/tty";
	pid = clone(open_as_session, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &opener);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return opener.fd;
}

static int open_dev_tty(const struct model *model, const struct pty *pty, const FileEntry *entry, int flags,
			struct made_file *ret)
{
	ret->fd = tty_open_in_session(pty->slave_fd, model, entry, flags);
	return ret->fd < 0 ? fail(-ret->fd, "pty %" PRIu32 ": cannot open it as /dev/tty", pty->index) : 0;
}

int pty_open(struct files_restore *ctx, const FileEntry *entry, const TtyInfoEntry *info, struct made_file *ret)
{
	const int flags = file_open_flags(entry->tty->flags);
	struct pty *pty;
	int err = pty_make(ctx, info, &pty);

	if (err)
		return err;
	if (info == pty->master)
		return open_master(pty, flags, ret);
	return info->type == TTY_TYPE__CTTY ? open_dev_tty(ctx->model, pty, entry, flags, ret)
					    : open_slave(ctx->model, pty, entry, flags, ret);
}
