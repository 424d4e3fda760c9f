/*
 * Terminals that stay outside the tree.
 *
 * A shell job (--shell-job) leaves its terminal behind and finds criu's own
 * in its place, with the settings and, if it was there, the job in the foreground again.
 */
#include <asm/termbits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "files/tty-internal.h"
#include "files/tty-settings.h"

/* --- dump ------------------------------------------------------------------ */

/* Is it the terminal of the job: its task's, the root's, or criu's own? */
static bool is_job_terminal(const struct files_dump *ctx, const struct remote_process *process, dev_t rdev)
{
	struct proc_stat own;

	if (tty_type_of(rdev) == TTY_TYPE__CTTY)
		return process->stat.tty_nr != 0;
	if (process->stat.tty_nr && tty_nr_decode(process->stat.tty_nr) == rdev)
		return true;
	if (ctx->tree->n && ctx->tree->processes[0]->stat.tty_nr &&
	    tty_nr_decode(ctx->tree->processes[0]->stat.tty_nr) == rdev)
		return true;
	return !proc_read_stat(getpid(), 0, &own) && own.tty_nr && tty_nr_decode(own.tty_nr) == rdev;
}

static const char *what_of(dev_t rdev)
{
	switch (tty_type_of(rdev)) {
	case TTY_TYPE__PTY:
		return "pty slave, whose master is not in the tree,";
	case TTY_TYPE__SERIAL:
		return "serial line";
	case TTY_TYPE__VT:
		return "virtual terminal";
	case TTY_TYPE__CONSOLE:
		return "console";
	default:
		return "terminal";
	}
}

bool tty_may_stay_outside(struct files_dump *ctx, const struct file_desc *desc, const char *key)
{
	const struct remote_process *process = files_process(ctx, desc->pid);
	struct winsize size;

	if (ioctl(desc->fd, TIOCGWINSZ, &size) && errno == EIO) {
		refuse(ctx->refusals, "%s: its terminal was hung up: not supported; close it before the dump",
		       desc->link);
		return false;
	}
	if (!process || !is_job_terminal(ctx, process, desc->st.st_rdev)) {
		refuse(ctx->refusals,
		       "%s %s is not the terminal of the job; close it before the dump, or keep it with --external %s "
		       "and give it back with --inherit-fd",
		       what_of(desc->st.st_rdev), desc->link, key);
		return false;
	}
	if (!ctx->options->shell_job) {
		refuse(ctx->refusals,
		       "terminal %s: its session is not part of the tree; use --shell-job to go on at criu's terminal "
		       "after restore",
		       desc->link);
		return false;
	}
	if (process->stat.tty_nr && files_process(ctx, process->stat.sid)) {
		refuse(ctx->refusals,
		       "terminal %s belongs to session %d, whose leader is in the tree, but its master is not: not "
		       "supported by this version; keep it with --external %s",
		       desc->link, process->stat.sid, key);
		return false;
	}
	return true;
}

TtyInfoEntry *tty_outside_info(struct files_dump *ctx, const struct file_desc *desc, TtyType type)
{
	const struct remote_process *process = files_process(ctx, desc->pid);
	TtyInfoEntry *info;

	for (size_t i = 0; i < ctx->model->ttys.n; i++) {
		info = ctx->model->ttys.data[i];
		if (info->type == type && info->rdev == desc->st.st_rdev && info->dev == desc->st.st_dev)
			return info;
	}
	info = tty_info_new(ctx, desc, type, ctx->model->ttys.n + 1);
	if (type == TTY_TYPE__EXT_TTY)
		return info;
	if (process && process->stat.tty_nr) {
		info->sid = process->stat.sid;
		info->pgrp = process->stat.tty_pgrp > 0 ? process->stat.tty_pgrp : 0;
	}
	if (type == TTY_TYPE__PTY) {
		info->pty = model_new(ctx->model, TtyPtyEntry, tty_pty_entry__init);
		info->pty->index = pty_index_of(desc->st.st_rdev);
	}
	info->termios = tty_settings_dump(ctx->model, desc->fd);
	info->termios_locked = tty_locked_dump(ctx->model, desc->fd);
	info->winsize = tty_size_dump(ctx->model, desc->fd);
	return info;
}

/* --- restore ---------------------------------------------------------------- */

static int open_dev_tty(int flags)
{
	int fd = open("/dev/tty", flags | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A descriptor of criu's terminal, opened anew with @flags. */
static int open_own(int flags)
{
	for (int fd = 0; fd <= 2; fd++)
		if (isatty(fd))
			return file_reopen(fd, flags);
	return open_dev_tty(flags);
}

int tty_outside_make(struct files_restore *ctx, const TtyInfoEntry *info, int flags, struct made_file *ret)
{
	int fd;

	if (!ctx->options->shell_job)
		return fail(ENOTTY, "the job had a terminal; use --shell-job to give it criu's own");
	fd = info->type == TTY_TYPE__CTTY ? open_dev_tty(flags) : open_own(flags);
	if (fd < 0)
		return fail(-fd, "--shell-job: criu has no terminal to give to the job; run it from one");
	ret->fd = fd;
	return 0;
}

static bool group_restored(const struct model *model, uint32_t pgrp)
{
	for (size_t i = 0; i < model->tasks.n; i++)
		if (model->tasks.data[i].pstree->pgid == pgrp)
			return true;
	return false;
}

void tty_outside_settle(struct files_restore *ctx, const TtyInfoEntry *info, int fd)
{
	sigset_t ttou, old;
	int err = 0;

	/* Blocked, the signal for background groups does not keep us from doing it. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	if (info->termios)
		err = tty_settings_restore(info->termios, fd);
	if (err)
		pr_warn("the settings of the terminal could not be restored: %s", strerror(-err));
	if (info->pgrp && group_restored(ctx->model, info->pgrp) && tcgetpgrp(fd) == getpgrp() &&
	    tcsetpgrp(fd, info->pgrp))
		pr_warn("the job could not be put into the foreground of the terminal: %s", strerror(errno));
	sigprocmask(SIG_SETMASK, &old, NULL);
}
