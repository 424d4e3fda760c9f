/*
 * Terminals, as far as they stay outside the tree.
 *
 * The kernel keeps: the line settings and window size, the foreground group,
 * and for each description its flags. A shell job (--shell-job) leaves its
 * terminal behind and finds criu's own in its place, with the settings
 * and, if it was there, the job in the foreground again. A terminal named with --external
 * is whatever the user gives back with --inherit-fd and is not changed. Pty
 * masters and terminals whose session is part of the tree are refused.
 */
#include <asm/termbits.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "files/files-internal.h"
#include "files/files-reg.h"
#include "files/fown.h"
#include "files/inherit.h"
#include "files/tty.h"

#define TTY_MAJOR     4
#define TTYAUX_MAJOR  5
#define PTY_SLAVE_MIN 136
#define PTY_SLAVE_MAX 143
#define FIRST_SERIAL  64
#define PTMX_MINOR    2

dev_t tty_nr_decode(int tty_nr)
{
	unsigned int nr = tty_nr;

	return makedev((nr >> 8) & 0xfff, (nr & 0xff) | ((nr >> 12) & 0xfff00));
}

TtyType tty_type_of(dev_t rdev)
{
	if (major(rdev) >= PTY_SLAVE_MIN && major(rdev) <= PTY_SLAVE_MAX)
		return TTY_TYPE__PTY;
	if (major(rdev) == TTY_MAJOR)
		return minor(rdev) < FIRST_SERIAL ? TTY_TYPE__VT : TTY_TYPE__SERIAL;
	if (major(rdev) == TTYAUX_MAJOR && minor(rdev) == 0)
		return TTY_TYPE__CTTY;
	if (major(rdev) == TTYAUX_MAJOR && minor(rdev) == 1)
		return TTY_TYPE__CONSOLE;
	return TTY_TYPE__UNKNOWN;
}

/* --- dump ------------------------------------------------------------------ */

static bool tty_match(const struct file_desc *desc)
{
	struct termios settings;

	if (!S_ISCHR(desc->st.st_mode))
		return false;
	/* A terminal that was hung up answers no ioctl. */
	return tty_type_of(desc->st.st_rdev) != TTY_TYPE__UNKNOWN ||
	       desc->st.st_rdev == makedev(TTYAUX_MAJOR, PTMX_MINOR) || !ioctl(desc->fd, TCGETS, &settings);
}

static bool session_in_tree(const struct files_dump *ctx, pid_t sid)
{
	return files_process(ctx, sid) != NULL;
}

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

static bool may_stay_outside(struct files_dump *ctx, const struct file_desc *desc, const char *key)
{
	const struct remote_process *process = files_process(ctx, desc->pid);

	if (desc->st.st_rdev == makedev(TTYAUX_MAJOR, PTMX_MINOR)) {
		refuse(ctx->refusals,
		       "%s: pty master: not supported by this version; dump the tree below the terminal without it",
		       desc->link);
		return false;
	}
	if (!process || !is_job_terminal(ctx, process, desc->st.st_rdev)) {
		refuse(ctx->refusals,
		       "terminal %s is not that of the job; close it before the dump, or keep it with --external %s "
		       "and give it back with --inherit-fd",
		       desc->link, key);
		return false;
	}
	if (!ctx->options->shell_job) {
		refuse(ctx->refusals,
		       "terminal %s: its session is not part of the tree; use --shell-job to go on at criu's terminal "
		       "after restore",
		       desc->link);
		return false;
	}
	if (process->stat.tty_nr && session_in_tree(ctx, process->stat.sid)) {
		refuse(ctx->refusals,
		       "terminal %s belongs to session %d, whose leader is in the tree: not supported by this version; "
		       "keep it with --external %s",
		       desc->link, process->stat.sid, key);
		return false;
	}
	return true;
}

static TermiosEntry *dump_settings(struct model *model, int fd, unsigned long request)
{
	TermiosEntry *entry = model_new(model, TermiosEntry, termios_entry__init);
	struct termios settings;

	if (ioctl(fd, request, &settings))
		return NULL;
	entry->c_iflag = settings.c_iflag;
	entry->c_oflag = settings.c_oflag;
	entry->c_cflag = settings.c_cflag;
	entry->c_lflag = settings.c_lflag;
	entry->c_line = settings.c_line;
	entry->n_c_cc = NCCS;
	entry->c_cc = arena_array(model->arena, uint32_t, NCCS);
	for (size_t i = 0; i < NCCS; i++)
		entry->c_cc[i] = settings.c_cc[i];
	return entry;
}

static WinsizeEntry *dump_size(struct model *model, int fd)
{
	WinsizeEntry *entry = model_new(model, WinsizeEntry, winsize_entry__init);
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size))
		return NULL;
	entry->ws_row = size.ws_row;
	entry->ws_col = size.ws_col;
	entry->ws_xpixel = size.ws_xpixel;
	entry->ws_ypixel = size.ws_ypixel;
	return entry;
}

static TtyInfoEntry *info_new(struct files_dump *ctx, const struct file_desc *desc, TtyType type)
{
	const struct remote_process *process = files_process(ctx, desc->pid);
	TtyInfoEntry *info = model_new(ctx->model, TtyInfoEntry, tty_info_entry__init);

	info->id = ctx->model->ttys.n + 1;
	info->type = type;
	info->rdev = desc->st.st_rdev;
	info->has_dev = true;
	info->dev = desc->st.st_dev;
	info->has_uid = true;
	info->uid = desc->st.st_uid;
	info->has_gid = true;
	info->gid = desc->st.st_gid;
	if (process && process->stat.tty_nr) {
		info->sid = process->stat.sid;
		info->pgrp = process->stat.tty_pgrp > 0 ? process->stat.tty_pgrp : 0;
	}
	if (type == TTY_TYPE__PTY) {
		info->pty = model_new(ctx->model, TtyPtyEntry, tty_pty_entry__init);
		info->pty->index = ((major(desc->st.st_rdev) - PTY_SLAVE_MIN) << 8) + minor(desc->st.st_rdev);
	}
	if (type != TTY_TYPE__EXT_TTY) {
		info->termios = dump_settings(ctx->model, desc->fd, TCGETS);
		info->termios_locked = dump_settings(ctx->model, desc->fd, TIOCGLCKTRMIOS);
		info->winsize = dump_size(ctx->model, desc->fd);
	}
	VEC_PUSH(&ctx->model->ttys, info);
	return info;
}

static TtyInfoEntry *info_find(struct files_dump *ctx, const struct file_desc *desc, TtyType type)
{
	for (size_t i = 0; i < ctx->model->ttys.n; i++) {
		TtyInfoEntry *info = ctx->model->ttys.data[i];

		if (info->type == type && info->rdev == desc->st.st_rdev && info->dev == desc->st.st_dev)
			return info;
	}
	return info_new(ctx, desc, type);
}

/* What the path reads as; a terminal's name is never checked or remapped. */
static void add_path(struct files_dump *ctx, struct file_desc *desc, TtyFileEntry *tty)
{
	FileEntry *entry = model_add_file(ctx->model, FD_TYPES__REG);
	RegFileEntry *reg = model_new(ctx->model, RegFileEntry, reg_file_entry__init);

	entry->reg = reg;
	reg->id = entry->id;
	reg->flags = tty->flags;
	reg->fown = tty->fown;
	reg->name = (char *)file_path(ctx->model->arena, desc->link, &desc->st);
	reg->has_mode = true;
	reg->mode = desc->st.st_mode;
	tty->has_regf_id = true;
	tty->regf_id = entry->id;
}

/* The shell sets itself as owner; with the terminal it stays behind. */
static int dump_owner(struct files_dump *ctx, const struct file_desc *desc, TtyFileEntry *tty)
{
	if (desc->info.flags & O_ASYNC)
		return fown_dump(ctx, desc, &tty->fown);
	tty->fown = fown_none(ctx->model);
	return 0;
}

static int tty_plan(struct files_dump *ctx, struct file_desc *desc)
{
	TtyFileEntry *tty = model_new(ctx->model, TtyFileEntry, tty_file_entry__init);
	TtyType type = tty_type_of(desc->st.st_rdev);
	char key[INHERIT_KEY_BYTES];
	int ret;

	desc->entry->tty = tty;
	tty->id = desc->entry->id;
	tty->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	inherit_key_tty(key, desc->st.st_rdev, desc->st.st_dev);
	if (inherit_external(ctx->options, key))
		type = TTY_TYPE__EXT_TTY;
	else if (!may_stay_outside(ctx, desc, key))
		return 0;

	ret = dump_owner(ctx, desc, tty);
	if (ret)
		return ret;
	tty->tty_info_id = info_find(ctx, desc, type)->id;
	if (type != TTY_TYPE__EXT_TTY)
		add_path(ctx, desc, tty);
	return 0;
}

/* --- restore ---------------------------------------------------------------- */

static const TtyInfoEntry *info_of(const struct model *model, uint32_t id)
{
	for (size_t i = 0; i < model->ttys.n; i++)
		if (model->ttys.data[i]->id == id)
			return model->ttys.data[i];
	return NULL;
}

static int tty_validate(const struct model *model, const FileEntry *entry)
{
	const TtyInfoEntry *info;

	if (!entry->tty || entry->tty->id != entry->id)
		return fail(EINVAL, "terminal without its entry");
	info = info_of(model, entry->tty->tty_info_id);
	if (!info)
		return fail(EINVAL, "terminal %" PRIu32 " is not in tty-info.img", entry->tty->tty_info_id);
	if (info->termios && info->termios->n_c_cc < NCCS)
		return fail(EINVAL, "terminal %" PRIu32 " has %zu control characters", info->id, info->termios->n_c_cc);
	return 0;
}

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

static int tty_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const TtyInfoEntry *info = info_of(ctx->model, entry->tty->tty_info_id);
	const int flags = file_open_flags(entry->tty->flags);
	char key[INHERIT_KEY_BYTES];
	int fd;

	inherit_key_tty(key, info->rdev, info->dev);
	fd = options_inherited(ctx->options, key);
	if (fd >= 0)
		return inherit_take(fd, flags, ret);
	if (info->type == TTY_TYPE__EXT_TTY)
		return fail(ENOENT, "terminal %s is external; supply it with --inherit-fd fd[N]:%s", key, key);
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

static void settle_settings(const TermiosEntry *entry, int fd)
{
	struct termios settings = {
		.c_iflag = entry->c_iflag,
		.c_oflag = entry->c_oflag,
		.c_cflag = entry->c_cflag,
		.c_lflag = entry->c_lflag,
		.c_line = entry->c_line,
	};

	for (size_t i = 0; i < NCCS; i++)
		settings.c_cc[i] = entry->c_cc[i];
	if (ioctl(fd, TCSETS, &settings))
		pr_warn("the settings of the terminal could not be restored: %s", strerror(errno));
}

static int tty_settle(struct files_restore *ctx, const FileEntry *entry, int fd)
{
	const TtyInfoEntry *info = info_of(ctx->model, entry->tty->tty_info_id);
	sigset_t ttou, old;
	char key[INHERIT_KEY_BYTES];

	inherit_key_tty(key, info->rdev, info->dev);
	if (info->type == TTY_TYPE__EXT_TTY || options_inherited(ctx->options, key) >= 0 ||
	    hash_put(&files_restore_state(ctx)->ttys_settled, info->id, 0, (void *)info))
		return 0;

	/* Blocked, the signal for background groups does not keep us from doing it. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	if (info->termios)
		settle_settings(info->termios, fd);
	if (info->pgrp && group_restored(ctx->model, info->pgrp) && tcgetpgrp(fd) == getpgrp() &&
	    tcsetpgrp(fd, info->pgrp))
		pr_warn("the job could not be put into the foreground of the terminal: %s", strerror(errno));
	sigprocmask(SIG_SETMASK, &old, NULL);
	return 0;
}

const struct file_kind tty_kind = {
	.type = FD_TYPES__TTY,
	.name = "terminal",
	.match = tty_match,
	.plan = tty_plan,
	.validate = tty_validate,
	.make = tty_make,
	.settle = tty_settle,
};
