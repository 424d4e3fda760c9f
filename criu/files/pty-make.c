/*
 * Making ptys anew; their descriptions are opened by pty-open.c.
 *
 * A pty gets the lowest free number, so masters are opened until the wanted
 * one comes up; those before it are kept for other ptys of the images, and
 * closed in the end. A number somebody else has can't be had. Order, for each
 * pty: master, unlocked; owner and mode of the slave; settings and size, while nobody would be
 * told of them; one slave, from which the rest is made; what waits in both
 * directions. When all descriptions exist, what would have been in their way: exclusive mode,
 * lock, packet mode; and masters of slaves that are hung up go. The first slave is closed when
 * sessions have their terminals: only then the master sees whether there are any.
 */
#include <asm/termbits.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "files/pty-make.h"
#include "files/pty-queue.h"
#include "files/tty-settings.h"
#include "kernel/path.h"

#define DEVPTS_MAGIC 0x1cd1

/* A master on the way to another one. */
struct surplus {
	int fd; /* owned */
	uint32_t index;
	const char *ptmx;
};

struct tty_restore {
	VEC(struct pty *) ptys;
	VEC(struct surplus) surplus;
};

/* --- which ptys there are --------------------------------------------------------- */

static bool is_slave(const TtyInfoEntry *info)
{
	return info->type == TTY_TYPE__PTY && info->pty && !tty_is_ptmx(info->rdev);
}

static bool is_master(const TtyInfoEntry *info)
{
	return info->type == TTY_TYPE__PTY && info->pty && tty_is_ptmx(info->rdev);
}

/* Mainline has another device in the entry of the master: then the number alone has to do. */
static const TtyInfoEntry *find_info(const struct model *model, const TtyInfoEntry *of,
				     bool (*is_it)(const TtyInfoEntry *))
{
	const TtyInfoEntry *found = NULL;

	for (size_t i = 0; i < model->ttys.n; i++) {
		const TtyInfoEntry *info = model->ttys.data[i];

		if (!is_it(info) || info->pty->index != of->pty->index)
			continue;
		if (info->dev == of->dev)
			return info;
		found = info;
	}
	return found;
}

void ttys_complete(struct model *model)
{
	for (size_t i = 0; i < model->ttys.n; i++) {
		TtyInfoEntry *slave = model->ttys.data[i];
		const TtyInfoEntry *master = is_slave(slave) && !slave->sid ? find_info(model, slave, is_master) : NULL;

		if (!master)
			continue;
		slave->sid = master->sid;
		slave->pgrp = master->pgrp;
	}
}

/* The slave that /dev/tty led to; mainline tells only the session. */
static const TtyInfoEntry *behind_dev_tty(const struct model *model, const TtyInfoEntry *ctty)
{
	for (size_t i = 0; i < model->ttys.n; i++) {
		const TtyInfoEntry *info = model->ttys.data[i];

		if (!is_slave(info) || !find_info(model, info, is_master))
			continue;
		if (ctty->pty ? info->pty->index == ctty->pty->index : ctty->sid && info->sid == ctty->sid)
			return info;
	}
	return NULL;
}

bool pty_is_made(const struct model *model, const TtyInfoEntry *info)
{
	if (info->type == TTY_TYPE__CTTY)
		return behind_dev_tty(model, info) != NULL;
	if (is_master(info))
		return true;
	return is_slave(info) && (!info->termios || find_info(model, info, is_master));
}

static const char *path_of(const struct model *model, const TtyInfoEntry *info, int *ret_flags)
{
	for (size_t i = 0; info && i < model->files.n; i++) {
		const FileEntry *entry = model->files.data[i];
		const FileEntry *reg;

		if (entry->type != FD_TYPES__TTY || entry->tty->tty_info_id != info->id)
			continue;
		if (ret_flags)
			*ret_flags = file_open_flags(entry->tty->flags);
		reg = entry->tty->has_regf_id ? model_file(model, entry->tty->regf_id) : NULL;
		return reg && reg->reg ? reg->reg->name : NULL;
	}
	return NULL;
}

/* The node to open masters with: the same as before, or what stands beside the slave. */
static const char *ptmx_of(const struct model *model, struct pty *pty)
{
	const char *slave = path_of(model, pty->slave, NULL);
	const char *master = pty->master ? path_of(model, pty->master, &pty->master_flags) : NULL;
	const char *name = slave ? strrchr(slave, '/') : NULL;

	if (master)
		return master;
	if (name && name > slave)
		return arena_printf(model->arena, "%.*s/ptmx", (int)(name - slave), slave);
	return "/dev/ptmx";
}

static struct tty_restore *restore_state(struct files_restore *ctx)
{
	struct files_restore_state *state = files_restore_state(ctx);

	if (!state->ttys)
		state->ttys = arena_new_of(ctx->model->arena, struct tty_restore);
	return state->ttys;
}

static struct pty *pty_of(struct files_restore *ctx, const TtyInfoEntry *info)
{
	struct tty_restore *ttys = restore_state(ctx);
	struct pty *pty;

	if (info->type == TTY_TYPE__CTTY)
		info = behind_dev_tty(ctx->model, info);
	for (size_t i = 0; i < ttys->ptys.n; i++)
		if (ttys->ptys.data[i]->master == info || ttys->ptys.data[i]->slave == info)
			return ttys->ptys.data[i];
	pty = arena_new_of(ctx->model->arena, struct pty);
	pty->index = info->pty->index;
	pty->master = is_master(info) ? info : find_info(ctx->model, info, is_master);
	pty->slave = is_slave(info) ? info : find_info(ctx->model, info, is_slave);
	/* A slave that was hung up has no master, whatever else has its number. */
	if (pty->slave && !pty->slave->termios)
		pty->master = NULL;
	pty->master_flags = O_RDWR;
	pty->ptmx = ptmx_of(ctx->model, pty);
	pty->master_fd = pty->slave_fd = -1;
	VEC_PUSH(&ttys->ptys, pty);
	return pty;
}

/* --- the master ---------------------------------------------------------------------- */

static bool has_terminal(pid_t pid, uint32_t index)
{
	struct proc_stat stat;
	dev_t rdev;

	if (pid <= 0 || proc_read_stat(pid, 0, &stat) || !stat.tty_nr)
		return false;
	rdev = tty_nr_decode(stat.tty_nr);
	return tty_type_of(rdev) == TTY_TYPE__PTY && pty_index_of(rdev) == index;
}

/* A process that has it as its terminal; 0: none that we see. */
static pid_t find_taker(uint32_t index)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (proc && !found && (entry = readdir(proc)))
		if (has_terminal(atoi(entry->d_name), index))
			found = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return found;
}

/* The process is for finding out which window it is. */
static int fail_taken(const struct pty *pty)
{
	pid_t taker = find_taker(pty->index);

	if (taker)
		return fail(EBUSY,
			    "pty %" PRIu32 " is another terminal by now, that of process %d; close that terminal and "
			    "restore again",
			    pty->index, taker);
	return fail(EBUSY, "pty %" PRIu32 " is another terminal by now; close that terminal and restore again",
		    pty->index);
}

static int open_ptmx(const struct pty *pty, int flags, uint32_t *ret_index)
{
	auto_fd int fd = path_open(pty->ptmx, (flags & (O_ACCMODE | O_NONBLOCK)) | O_NOCTTY);

	if (fd < 0)
		return fail(-fd, "cannot open %s for pty %" PRIu32, pty->ptmx, pty->index);
	if (ioctl(fd, TIOCGPTN, ret_index))
		return fail_errno("%s: not the node of ptys", pty->ptmx);
	return take_fd(&fd);
}

/* One that came up before, if it has the right mode; else its number is free again. */
static int take_surplus(struct tty_restore *ttys, const struct pty *pty)
{
	for (size_t i = 0; i < ttys->surplus.n; i++) {
		struct surplus *surplus = &ttys->surplus.data[i];
		int fd = surplus->fd;

		if (fd < 0 || surplus->index != pty->index || strcmp(surplus->ptmx, pty->ptmx))
			continue;
		surplus->fd = -1;
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) == (pty->master_flags & O_ACCMODE))
			return fd;
		close(fd);
		break;
	}
	return -1;
}

static int open_master(struct files_restore *ctx, struct pty *pty)
{
	struct tty_restore *ttys = restore_state(ctx);
	uint32_t index;

	pty->master_fd = take_surplus(ttys, pty);
	while (pty->master_fd < 0) {
		int fd = open_ptmx(pty, pty->master_flags, &index);

		if (fd < 0)
			return fd;
		if (index == pty->index) {
			pty->master_fd = fd;
		} else if (index < pty->index) {
			VEC_PUSH(&ttys->surplus, ((struct surplus){ fd, index, pty->ptmx }));
		} else {
			close(fd);
			return fail_taken(pty);
		}
	}
	return 0;
}

/* --- the whole pty ---------------------------------------------------------------------- */

/* Without opening the slave, which its master would notice. */
static int restore_owner(const struct model *model, const struct pty *pty)
{
	auto_free char *name = NULL;
	auto_fd int fd = -1;
	const FileEntry *file = NULL;
	struct statfs fs;
	uint32_t mode = pty->slave->mode;
	char self[32];

	if (!pty->slave->has_uid || !pty->slave->has_gid)
		return 0;
	if (fstatfs(pty->master_fd, &fs))
		return fail_errno("%s: statfs", pty->ptmx);
	name = xasprintf("%.*s/%s%" PRIu32, (int)(strrchr(pty->ptmx, '/') - pty->ptmx), pty->ptmx,
			 fs.f_type == DEVPTS_MAGIC ? "" : "pts/", pty->index);
	fd = path_open(name, O_PATH);
	if (fd < 0)
		return fail(-fd, "cannot find %s", name);
	for (size_t i = 0; !pty->slave->has_mode && i < model->files.n && !file; i++)
		if (model->files.data[i]->type == FD_TYPES__TTY &&
		    model->files.data[i]->tty->tty_info_id == pty->slave->id && model->files.data[i]->tty->has_regf_id)
			file = model_file(model, model->files.data[i]->tty->regf_id);
	if (file && file->reg && file->reg->has_mode)
		mode = file->reg->mode & ALLPERMS;
	if (fchownat(fd, "", pty->slave->uid, pty->slave->gid, AT_EMPTY_PATH))
		return fail_errno("cannot give %s to user %" PRIu32 ", group %" PRIu32, name, pty->slave->uid,
				  pty->slave->gid);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if ((pty->slave->has_mode || file) && chmod(self, mode))
		return fail_errno("cannot give %s mode %#" PRIo32, name, mode);
	return 0;
}

static int restore_settings(const struct pty *pty)
{
	const TtyInfoEntry *info = pty->slave && pty->slave->termios ? pty->slave : pty->master;
	int err = 0;

	if (info && info->winsize)
		err = tty_size_restore(info->winsize, pty->master_fd);
	if (!err && info && info->termios)
		err = tty_settings_restore(info->termios, pty->master_fd);
	if (!err && info && info->termios_locked)
		err = tty_locked_restore(info->termios_locked, pty->master_fd);
	return err ? fail(-err, "pty %" PRIu32 ": its settings", pty->index) : 0;
}

static void fill_queue(const struct model *model, const TtyInfoEntry *info, struct pty_queue *ret)
{
	for (size_t i = 0; info && i < model->tty_data.n; i++) {
		const TtyDataEntry *data = model->tty_data.data[i];

		if (data->tty_id != info->id)
			continue;
		ret->stopped |= data->stopped;
		ret->parted = data->has_edited;
		for (size_t k = 0; k < data->data.len; k++)
			VEC_PUSH(&ret->bytes, data->data.data[k]);
		for (size_t k = 0; k < data->n_lines; k++)
			VEC_PUSH(&ret->lines, data->lines[k]);
	}
}

static bool has_content(const struct pty_queue *queue)
{
	return queue->bytes.n || queue->lines.n || queue->stopped;
}

/* Criu's own descriptions don't block while they are filled. */
static int restore_queues(const struct model *model, const struct pty *pty)
{
	cleanup_with(pty_queues_free) struct pty_queues queues = { 0 };
	int flags = fcntl(pty->master_fd, F_GETFL), err;

	fill_queue(model, pty->slave, &queues.slave);
	fill_queue(model, pty->master, &queues.master);
	if (!has_content(&queues.slave) && !has_content(&queues.master))
		return 0;
	queues.slave.canonical = pty_is_canonical(pty->master_fd);
	if (flags < 0 || fcntl(pty->master_fd, F_SETFL, flags | O_NONBLOCK))
		return fail_errno("pty %" PRIu32 ": F_SETFL", pty->index);
	err = pty_put(pty->master_fd, pty->slave_fd, &queues);
	if (fcntl(pty->master_fd, F_SETFL, flags))
		return fail_errno("pty %" PRIu32 ": F_SETFL", pty->index);
	return err ? fail(-err, "pty %" PRIu32 ": cannot put back what waited in it", pty->index) : 0;
}

static bool is_used(const struct model *model, const TtyInfoEntry *info)
{
	for (size_t i = 0; i < model->files.n; i++) {
		const FileEntry *entry = model->files.data[i];

		if (entry->type == FD_TYPES__TTY && entry->tty->tty_info_id == info->id)
			return true;
	}
	return false;
}

/* A slave that was never opened stays so: its master would find its other end closed. */
static bool needs_slave(const struct model *model, const struct pty *pty)
{
	const TtyInfoEntry *slave = pty->slave;

	if (!slave)
		return false;
	for (size_t i = 0; i < model->ttys.n; i++)
		if (model->ttys.data[i]->type == TTY_TYPE__CTTY && is_used(model, model->ttys.data[i]) &&
		    behind_dev_tty(model, model->ttys.data[i]) == slave)
			return true;
	return slave->closed || slave->sid || is_used(model, slave);
}

static int make_whole(struct files_restore *ctx, struct pty *pty)
{
	const int unlock = 0;
	int err = open_master(ctx, pty);

	if (err)
		return err;
	pty->made = true;
	if (ioctl(pty->master_fd, TIOCSPTLCK, &unlock))
		return fail_errno("pty %" PRIu32 ": cannot unlock it", pty->index);
	err = pty->slave ? restore_owner(ctx->model, pty) : 0;
	if (!err)
		err = restore_settings(pty);
	if (err || !needs_slave(ctx->model, pty))
		return err;
	pty->slave_fd = pty_open_slave(pty->master_fd, O_RDWR);
	if (pty->slave_fd < 0)
		return fail(-pty->slave_fd, "pty %" PRIu32 ": cannot open its slave", pty->index);
	return restore_queues(ctx->model, pty);
}

int pty_make(struct files_restore *ctx, const TtyInfoEntry *info, struct pty **ret)
{
	struct pty *pty = pty_of(ctx, info);
	int err = pty->made ? 0 : make_whole(ctx, pty);

	if (!err)
		*ret = pty;
	return err;
}

int pty_slave_fd(struct files_restore *ctx, const TtyInfoEntry *info)
{
	return pty_of(ctx, info)->slave_fd;
}

/* --- afterwards --------------------------------------------------------------------------- */

static int finish_pty(struct pty *pty)
{
	const int on = 1;

	if (pty->slave && pty->slave->exclusive && pty->slave_fd >= 0 && ioctl(pty->slave_fd, TIOCEXCL))
		return fail_errno("pty %" PRIu32 ": exclusive mode", pty->index);
	if (!pty->master)
		return 0;
	if (pty->master->exclusive && ioctl(pty->master_fd, TIOCEXCL))
		return fail_errno("pty %" PRIu32 ": exclusive mode of the master", pty->index);
	if (pty->master->locked && ioctl(pty->master_fd, TIOCSPTLCK, &on))
		return fail_errno("pty %" PRIu32 ": cannot lock it", pty->index);
	if (pty->master->packet_mode && ioctl(pty->master_fd, TIOCPKT, &on))
		return fail_errno("pty %" PRIu32 ": packet mode", pty->index);
	return 0;
}

int ttys_made(struct files_restore *ctx)
{
	struct tty_restore *ttys = ctx->state->ttys;
	int err = 0;

	for (size_t i = 0; ttys && !err && i < ttys->ptys.n; i++) {
		struct pty *pty = ttys->ptys.data[i];

		err = pty->made ? finish_pty(pty) : 0;
		/* A master that is no description was only there to be closed. */
		close_fdp(&pty->master_fd);
		pty->master_fd = -1;
	}
	for (size_t i = 0; ttys && i < ttys->surplus.n; i++)
		close_fdp(&ttys->surplus.data[i].fd);
	if (ttys)
		VEC_FREE(&ttys->surplus);
	return err;
}

void ttys_close(struct files_restore_state *state)
{
	struct tty_restore *ttys = state->ttys;

	for (size_t i = 0; ttys && i < ttys->ptys.n; i++) {
		close_fdp(&ttys->ptys.data[i]->master_fd);
		close_fdp(&ttys->ptys.data[i]->slave_fd);
		ttys->ptys.data[i]->master_fd = ttys->ptys.data[i]->slave_fd = -1;
	}
	for (size_t i = 0; ttys && i < ttys->surplus.n; i++)
		close_fdp(&ttys->surplus.data[i].fd);
	if (!ttys)
		return;
	VEC_FREE(&ttys->surplus);
	VEC_FREE(&ttys->ptys);
}
