/*
 * Ptys whose master is in the tree, and slaves whose master is gone.
 *
 * The kernel keeps, for both ends together: number (of one mounted devpts), line
 * settings, window size, session and foreground group, whether the slave was
 * opened and is closed; for the master: packet mode, lock; for each end: exclusive mode,
 * whether its output is stopped, what waits to be read. All but the last two can be
 * seen from outside (pty-queue.c). A slave whose master is gone is hung up for ever and has none of it.
 *
 * Lost: times of the slave's inode; exclusive mode of a slave that nobody has open.
 */
#include <asm/termbits.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "files/pty-queue.h"
#include "files/pty-take.h"
#include "files/tty-internal.h"
#include "files/tty-settings.h"

#define DEVPTS_MAGIC 0x1cd1

struct pty_seen {
	dev_t dev; /* of its devpts */
	uint32_t index;
	TtyInfoEntry *master, *slave, *ctty;
	bool slave_opened, exclusive;
};

struct tty_dump {
	VEC(struct pty_seen *) ptys;
	VEC(int) masters; /* owned; what is taken at the commit, and what is to be known of it: */
	VEC(struct pty_note) notes;
};

static struct tty_dump *dump_state(struct files_dump *ctx)
{
	struct files_dump_state *state = files_dump_state(ctx);

	if (!state->ttys)
		state->ttys = arena_new_of(ctx->model->arena, struct tty_dump);
	return state->ttys;
}

void tty_dump_free(struct files_dump_state *state)
{
	struct tty_dump *ttys = state->ttys;

	if (!ttys)
		return;
	for (size_t i = 0; i < ttys->masters.n; i++)
		close(ttys->masters.data[i]);
	VEC_FREE(&ttys->ptys);
	VEC_FREE(&ttys->masters);
	VEC_FREE(&ttys->notes);
}

static struct pty_seen *pty_of(struct files_dump *ctx, dev_t dev, uint32_t index)
{
	struct tty_dump *ttys = dump_state(ctx);
	struct pty_seen *pty;

	for (size_t i = 0; i < ttys->ptys.n; i++)
		if (ttys->ptys.data[i]->dev == dev && ttys->ptys.data[i]->index == index)
			return ttys->ptys.data[i];
	pty = arena_new_of(ctx->model->arena, struct pty_seen);
	pty->dev = dev;
	pty->index = index;
	VEC_PUSH(&ttys->ptys, pty);
	return pty;
}

static TtyInfoEntry *new_info(struct files_dump *ctx, const struct file_desc *desc, const struct pty_seen *pty,
			      bool master)
{
	TtyInfoEntry *info = tty_info_new(ctx, desc, TTY_TYPE__PTY, 2 * pty->index + master);

	info->dev = pty->dev;
	info->pty = model_new(ctx->model, TtyPtyEntry, tty_pty_entry__init);
	info->pty->index = pty->index;
	return info;
}

static bool is_hung_up(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) && errno == EIO;
}

/* --- masters ------------------------------------------------------------------- */

/* The slave's name, as the kernel finds it: /dev/pts/ptmx has it beside itself, any other node in "pts". */
static int stat_slave(const struct file_desc *desc, uint32_t index, struct stat *ret)
{
	auto_free char *name = NULL;
	struct statfs fs;
	size_t dir = strrchr(desc->link, '/') - desc->link;

	if (fstatfs(desc->fd, &fs))
		return fail_errno("%s: statfs", desc->link);
	name = xasprintf("%.*s/%s%" PRIu32, (int)dir, desc->link, fs.f_type == DEVPTS_MAGIC ? "" : "pts/", index);
	if (stat(name, ret))
		return fail_errno("%s: its slave %s", desc->link, name);
	if (pty_index_of(ret->st_rdev) != index || tty_type_of(ret->st_rdev) != TTY_TYPE__PTY)
		return fail(ENOENT, "%s: %s is not its slave", desc->link, name);
	return 0;
}

static int flag_of(int fd, unsigned long request)
{
	int flag = 0;

	return !ioctl(fd, request, &flag) && flag;
}

/* Its session, and which group of it has the foreground. */
static void plan_session(struct files_dump *ctx, const struct file_desc *desc, TtyInfoEntry *master)
{
	const struct remote_process *leader;
	pid_t sid, pgrp;

	if (ioctl(desc->fd, TIOCGSID, &sid))
		return;
	leader = files_process(ctx, sid);
	if (!leader || leader->stat.sid != sid) {
		refuse(ctx->refusals,
		       "pty %" PRIu32 ": it is the terminal of session %d, which is not part of the tree: dump that "
		       "session, too",
		       master->pty->index, sid);
		return;
	}
	master->sid = sid;
	if (!ioctl(desc->fd, TIOCGPGRP, &pgrp) && pgrp > 0)
		master->pgrp = pgrp;
}

static bool refuse_state(struct files_dump *ctx, const struct file_desc *desc, uint32_t index)
{
	struct pollfd status = { .fd = desc->fd, .events = POLLPRI };
	int discipline = N_TTY;

	if (poll(&status, 1, 0) == 1 && (status.revents & POLLPRI)) {
		refuse_passing(ctx->refusals,
			       "pty %" PRIu32 ": a status byte of packet mode waits at the master: not supported; let "
			       "it be read first",
			       index);
		return true;
	}
	if (ioctl(desc->fd, TIOCGETD, &discipline) || discipline == N_TTY)
		return false;
	refuse(ctx->refusals,
	       "pty %" PRIu32 ": line discipline %d: only that of terminals is supported; set that again (TIOCSETD) "
	       "before the dump, or end what uses it",
	       index, discipline);
	return true;
}

static void add_master(struct files_dump *ctx, const struct file_desc *desc, struct pty_seen *pty,
		       const struct stat *slave_st)
{
	TtyInfoEntry *master = new_info(ctx, desc, pty, true), *slave = new_info(ctx, desc, pty, false);
	struct pollfd hung = { .fd = desc->fd };

	pty->master = master;
	pty->slave = slave;
	master->locked = flag_of(desc->fd, TIOCGPTLCK);
	master->packet_mode = flag_of(desc->fd, TIOCGPKT);
	master->exclusive = flag_of(desc->fd, TIOCGEXCL);
	plan_session(ctx, desc, master);
	master->termios = tty_settings_dump(ctx->model, desc->fd);
	master->termios_locked = tty_locked_dump(ctx->model, desc->fd);
	master->winsize = tty_size_dump(ctx->model, desc->fd);

	slave->rdev = slave_st->st_rdev;
	slave->uid = slave_st->st_uid;
	slave->gid = slave_st->st_gid;
	slave->has_mode = true;
	slave->mode = slave_st->st_mode & ALLPERMS;
	slave->locked = master->locked;
	slave->sid = master->sid;
	slave->pgrp = master->pgrp;
	slave->termios = master->termios;
	slave->termios_locked = master->termios_locked;
	slave->winsize = master->winsize;
	slave->has_closed = slave->closed = poll(&hung, 1, 0) == 1 && (hung.revents & POLLHUP);
}

int pty_plan_master(struct files_dump *ctx, struct file_desc *desc)
{
	struct pty_seen *pty;
	struct stat slave;
	uint32_t index;
	int err;

	if (ioctl(desc->fd, TIOCGPTN, &index))
		return fail_errno("%s: number of the pty", desc->link);
	if (desc->link[0] != '/') {
		refuse(ctx->refusals,
		       "pty %" PRIu32
		       ": master %s: not reachable from criu's root directory; run criu where its devpts "
		       "is mounted, or close the master before the dump",
		       index, desc->link);
		return 0;
	}
	err = stat_slave(desc, index, &slave);
	if (err) {
		refuse_failed(ctx->refusals);
		return 0;
	}
	pty = pty_of(ctx, slave.st_dev, index);
	refuse_state(ctx, desc, index);
	add_master(ctx, desc, pty, &slave);
	desc->entry->tty->tty_info_id = pty->master->id;
	return 0;
}

/* --- slaves -------------------------------------------------------------------- */

int pty_plan_slave(struct files_dump *ctx, struct file_desc *desc)
{
	struct pty_seen *pty = pty_of(ctx, desc->st.st_dev, pty_index_of(desc->st.st_rdev));
	int discipline = N_TTY;

	pty->slave_opened = true;
	if (is_hung_up(desc->fd)) {
		if (!pty->slave) {
			pty->slave = new_info(ctx, desc, pty, false);
			pty->slave->has_mode = true;
			pty->slave->mode = desc->st.st_mode & ALLPERMS;
		}
		return 0;
	}
	pty->exclusive |= flag_of(desc->fd, TIOCGEXCL);
	if (pty_is_overfull(desc->fd))
		refuse_passing(ctx->refusals, "terminal %s: " PTY_OVERFULL, desc->link);
	if (!ioctl(desc->fd, TIOCGETD, &discipline) && discipline != N_TTY)
		refuse(ctx->refusals,
		       "terminal %s: line discipline %d: only that of terminals is supported; set that again "
		       "(TIOCSETD) before the dump, or end what uses it",
		       desc->link, discipline);
	return 0;
}

/* /dev/tty is whatever its task's session had as its terminal then. Two devpts may have the same number. */
static struct pty_seen *behind_dev_tty(struct files_dump *ctx, const struct file_desc *desc)
{
	const struct tty_dump *ttys = dump_state(ctx);
	struct pty_seen *found = NULL;
	uint32_t number;
	dev_t rdev;

	if (ioctl(desc->fd, TIOCGDEV, &number))
		return NULL;
	rdev = tty_nr_decode((int)number);
	for (size_t i = 0; i < ttys->ptys.n && tty_type_of(rdev) == TTY_TYPE__PTY; i++) {
		struct pty_seen *pty = ttys->ptys.data[i];

		if (!pty->master || pty->index != pty_index_of(rdev))
			continue;
		if (found)
			refuse(ctx->refusals,
			       "%s: ptys of two devpts have number %" PRIu32
			       ": which it is can't be seen; close it, or "
			       "one of the two masters, before the dump",
			       desc->link, pty->index);
		found = pty;
	}
	return found;
}

static const TtyInfoEntry *resolve_dev_tty(struct files_dump *ctx, const struct file_desc *desc)
{
	struct pty_seen *pty = behind_dev_tty(ctx, desc);

	if (!pty)
		return NULL;
	pty->slave_opened = true;
	if (pty->ctty)
		return pty->ctty;
	pty->ctty = tty_info_new(ctx, desc, TTY_TYPE__CTTY, 2 * pty->index + 1);
	pty->ctty->pty = pty->slave->pty;
	pty->ctty->sid = pty->slave->sid;
	pty->ctty->pgrp = pty->slave->pgrp;
	pty->ctty->termios = pty->slave->termios;
	pty->ctty->termios_locked = pty->slave->termios_locked;
	pty->ctty->winsize = pty->slave->winsize;
	return pty->ctty;
}

const TtyInfoEntry *pty_resolve(struct files_dump *ctx, const struct file_desc *desc)
{
	struct pty_seen *pty;

	if (tty_type_of(desc->st.st_rdev) == TTY_TYPE__CTTY)
		return resolve_dev_tty(ctx, desc);
	if (tty_is_ptmx(desc->st.st_rdev))
		return tty_info_of(ctx->model, desc->entry->tty->tty_info_id);
	if (tty_type_of(desc->st.st_rdev) != TTY_TYPE__PTY)
		return NULL;
	pty = pty_of(ctx, desc->st.st_dev, pty_index_of(desc->st.st_rdev));
	if (pty->slave)
		pty->slave->exclusive = pty->exclusive;
	return pty->slave;
}

/* --- sessions, and what is taken at the commit ------------------------------------- */

static bool has_terminal(struct files_dump *ctx, const struct remote_process *process)
{
	const struct tty_dump *ttys = dump_state(ctx);

	for (size_t i = 0; i < ttys->ptys.n; i++)
		if (ttys->ptys.data[i]->master && ttys->ptys.data[i]->master->sid == (uint32_t)process->stat.sid)
			return true;
	return tty_external_session(ctx, process);
}

static void refuse_unlooked(struct files_dump *ctx)
{
	const struct tty_dump *ttys = dump_state(ctx);

	for (size_t i = 0; i < ttys->ptys.n; i++) {
		const struct pty_seen *pty = ttys->ptys.data[i];

		if (pty->master && !pty->slave_opened && !pty->slave->closed)
			refuse(ctx->refusals,
			       "pty %" PRIu32 ": nobody has opened its slave yet, and what waits there can't be taken "
			       "without doing so: dump it without --leave-running and --leave-stopped",
			       pty->index);
	}
}

void pty_plan_sessions(struct files_dump *ctx)
{
	for (size_t i = 0; i < ctx->tree->n; i++) {
		const struct remote_process *leader = ctx->tree->processes[i];
		dev_t rdev = tty_nr_decode(leader->stat.tty_nr);

		if (leader->stat.sid != leader->pid || !leader->stat.tty_nr || leader->state == REMOTE_ZOMBIE ||
		    has_terminal(ctx, leader))
			continue;
		LOG_SCOPE("task", leader->pid);
		refuse(ctx->refusals,
		       "terminal %u:%u belongs to its session, and its master is not in the tree: dump that, too, or "
		       "keep the terminal with --external %s and give it back with --inherit-fd",
		       major(rdev), minor(rdev), tty_external_hint(ctx->model->arena, rdev));
	}
	if (ctx->options->final_state != FINAL_DEFAULT)
		refuse_unlooked(ctx);
}

int pty_dump(struct files_dump *ctx, const struct file_desc *desc)
{
	struct tty_dump *ttys = dump_state(ctx);
	const struct pty_seen *pty = NULL;
	int fd = fcntl(desc->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail_errno("cannot keep the pty's master");
	VEC_PUSH(&ttys->masters, fd);
	for (size_t i = 0; i < ttys->ptys.n; i++)
		if (ttys->ptys.data[i]->master && ttys->ptys.data[i]->master->id == desc->entry->tty->tty_info_id)
			pty = ttys->ptys.data[i];
	if (!pty)
		return fail(EINVAL, "a pty's master that was not planned");
	VEC_PUSH(&ttys->notes, ((struct pty_note){
				       .master_id = pty->master->id,
				       .slave_id = pty->slave->id,
				       .index = pty->index,
				       .pid = desc->pid,
				       .fd = (uint32_t)desc->target_fd,
				       .never_opened = !pty->slave_opened && !pty->slave->closed,
			       }));
	return 0;
}

void ttys_takings(struct files_dump *ctx, void *notes, size_t bytes, struct guard_takings *ret)
{
	const struct tty_dump *ttys = dump_state(ctx);
	struct pty_notes *shared = notes;
	size_t room = (bytes - sizeof(*shared)) / sizeof(shared->of[0]);

	*ret = (struct guard_takings){
		.fds = ttys->masters.data,
		.n = ttys->masters.n,
		.take = pty_take_all,
		.give_back = pty_give_all_back,
	};
	if (shared && ttys->notes.n)
		memcpy(shared->of, ttys->notes.data, min_u64(room, ttys->notes.n) * sizeof(shared->of[0]));
}
