/*
 * Terminals: which one a description is of, and where that one lives.
 *
 * A pty whose master is in the tree lives there: it is made anew (pty-dump.c,
 * pty-make.c, pty-open.c, pty-queue.c). Any other is outside: that of a shell job stays behind
 * (tty-outside.c); one that is named with --external is whatever the user gives
 * back with --inherit-fd (tty-external.c). The rest, serial lines, consoles and
 * virtual terminals among them, is refused.
 *
 * A session's leader takes its controlling terminal when it has become one,
 * before it has children, who inherit it; the foreground group is set when
 * all groups exist (restore/tree.c). By then settings and size are there, so nobody is sent a signal.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "files/files-reg.h"
#include "files/fown.h"
#include "files/fown-quiet.h"
#include "files/inherit.h"
#include "files/pty-take.h"
#include "files/tty-internal.h"
#include "files/tty-settings.h"

#define TTY_MAJOR     4
#define FIRST_SERIAL  64
#define PTY_INDEX_MAX (1 << 20)

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
	struct winsize size;

	if (!S_ISCHR(desc->st.st_mode))
		return false;
	/* A terminal that was hung up answers no ioctl. */
	return tty_type_of(desc->st.st_rdev) != TTY_TYPE__UNKNOWN || tty_is_ptmx(desc->st.st_rdev) ||
	       !ioctl(desc->fd, TIOCGWINSZ, &size);
}

static bool id_is_free(const struct model *model, uint32_t id)
{
	for (size_t i = 0; i < model->ttys.n; i++)
		if (model->ttys.data[i]->id == id)
			return false;
	return true;
}

TtyInfoEntry *tty_info_new(struct files_dump *ctx, const struct file_desc *desc, TtyType type, uint32_t id)
{
	TtyInfoEntry *info = model_new(ctx->model, TtyInfoEntry, tty_info_entry__init);

	while (!id_is_free(ctx->model, id))
		id++;
	info->id = id;
	info->type = type;
	info->rdev = desc->st.st_rdev;
	info->has_dev = true;
	info->dev = desc->st.st_dev;
	info->has_uid = true;
	info->uid = desc->st.st_uid;
	info->has_gid = true;
	info->gid = desc->st.st_gid;
	VEC_PUSH(&ctx->model->ttys, info);
	return info;
}

/* What the path reads as; a terminal's name is never checked or remapped. */
static void add_path(struct files_dump *ctx, struct file_desc *desc, TtyFileEntry *tty)
{
	FileEntry *entry = model_add_file(ctx->model, FD_TYPES__REG);
	RegFileEntry *reg = model_new(ctx->model, RegFileEntry, reg_file_entry__init);

	entry->reg = reg;
	reg->id = entry->id;
	reg->flags = tty->flags;
	reg->fown = fown_none(ctx->model);
	reg->name = (char *)file_path(ctx->model->arena, desc->link, &desc->st);
	reg->has_mode = true;
	reg->mode = desc->st.st_mode;
	tty->has_regf_id = true;
	tty->regf_id = entry->id;
}

static bool is_external(const struct files_dump *ctx, const struct file_desc *desc, char key[INHERIT_KEY_BYTES])
{
	inherit_key_tty(key, desc->st.st_rdev, desc->st.st_dev);
	return inherit_external(ctx->options, key);
}

static int tty_plan(struct files_dump *ctx, struct file_desc *desc)
{
	TtyFileEntry *tty = model_new(ctx->model, TtyFileEntry, tty_file_entry__init);
	char key[INHERIT_KEY_BYTES];

	desc->entry->tty = tty;
	tty->id = desc->entry->id;
	tty->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	tty->fown = fown_none(ctx->model);
	if (is_external(ctx, desc, key))
		return 0;
	if (tty_is_ptmx(desc->st.st_rdev))
		return pty_plan_master(ctx, desc);
	return tty_type_of(desc->st.st_rdev) == TTY_TYPE__PTY ? pty_plan_slave(ctx, desc) : 0;
}

/* That of an outside one may be the shell, which sets itself as owner; with the terminal it stays behind. */
static int resolve_outside(struct files_dump *ctx, struct file_desc *desc)
{
	TtyFileEntry *tty = desc->entry->tty;
	TtyType type = tty_type_of(desc->st.st_rdev);
	char key[INHERIT_KEY_BYTES];
	int err = 0;

	if (is_external(ctx, desc, key))
		type = TTY_TYPE__EXT_TTY;
	else if (!tty_may_stay_outside(ctx, desc, key))
		return 0;
	if (desc->info.flags & O_ASYNC)
		err = fown_dump(ctx, desc, &tty->fown);
	if (err)
		return err;
	tty->tty_info_id = tty_outside_info(ctx, desc, type)->id;
	if (type != TTY_TYPE__EXT_TTY)
		add_path(ctx, desc, tty);
	return 0;
}

static int tty_resolve(struct files_dump *ctx, struct file_desc *desc)
{
	char key[INHERIT_KEY_BYTES];
	const TtyInfoEntry *info = is_external(ctx, desc, key) ? NULL : pty_resolve(ctx, desc);

	if (!info)
		info = tty_external_dev_tty(ctx, desc);
	if (!info)
		return resolve_outside(ctx, desc);
	desc->entry->tty->tty_info_id = info->id;
	add_path(ctx, desc, desc->entry->tty);
	return fown_dump(ctx, desc, &desc->entry->tty->fown);
}

static int tty_dump(struct files_dump *ctx, struct file_desc *desc)
{
	const TtyInfoEntry *info = tty_info_of(ctx->model, desc->entry->tty->tty_info_id);
	int err = 0;

	if (info && info->type == TTY_TYPE__PTY && pty_is_made(ctx->model, info))
		err = fown_quiet_later(ctx, desc, desc->entry->tty->fown);
	if (!err && tty_is_ptmx(desc->st.st_rdev))
		err = pty_dump(ctx, desc);
	return err;
}

/* --- restore ---------------------------------------------------------------- */

const TtyInfoEntry *tty_info_of(const struct model *model, uint32_t id)
{
	for (size_t i = 0; i < model->ttys.n; i++)
		if (model->ttys.data[i]->id == id)
			return model->ttys.data[i];
	return NULL;
}

const TtyInfoEntry *tty_of_session(const struct model *model, pid_t sid)
{
	for (size_t i = 0; i < model->ttys.n; i++) {
		const TtyInfoEntry *info = model->ttys.data[i];

		if (info->sid != (uint32_t)sid || (info->type != TTY_TYPE__PTY && info->type != TTY_TYPE__EXT_TTY))
			continue;
		if (!tty_is_ptmx(info->rdev) && (info->type == TTY_TYPE__EXT_TTY || pty_is_made(model, info)))
			return info;
	}
	return NULL;
}

static int tty_validate(const struct model *model, const FileEntry *entry)
{
	if (!entry->tty || entry->tty->id != entry->id)
		return fail(EINVAL, "terminal without its entry");
	if (!tty_info_of(model, entry->tty->tty_info_id))
		return fail(EINVAL, "terminal %" PRIu32 " is not in tty-info.img", entry->tty->tty_info_id);
	return 0;
}

static int validate_session(const struct model *model, const TtyInfoEntry *info)
{
	const struct task_image *leader = model_task(model, info->sid);

	if (!info->sid || tty_of_session(model, info->sid) != info)
		return 0;
	if (!leader || leader->pstree->sid != info->sid || !leader->mm)
		return fail(EINVAL, "terminal %" PRIu32 ": the leader of its session %" PRIu32 " is not in the images",
			    info->id, info->sid);
	return 0;
}

static int validate_info(const struct model *model, const TtyInfoEntry *info)
{
	const TermiosEntry *settings[] = { info->termios, info->termios_locked };

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i] && !tty_settings_are_whole(settings[i]))
			return fail(EINVAL, "terminal %" PRIu32 ": its settings have %zu control characters", info->id,
				    settings[i]->n_c_cc);
	if (info->pty && info->pty->index >= PTY_INDEX_MAX)
		return fail(EINVAL, "terminal %" PRIu32 ": a pty with number %" PRIu32, info->id, info->pty->index);
	if (info->has_mode && info->mode & ~ALLPERMS)
		return fail(EINVAL, "terminal %" PRIu32 ": mode %#" PRIo32, info->id, info->mode);
	return validate_session(model, info);
}

static int validate_data(const struct model *model, const TtyDataEntry *data)
{
	uint64_t bytes = data->edited;

	if (!tty_info_of(model, data->tty_id))
		return fail(EINVAL, "tty-data.img: terminal %" PRIu32 " is not in tty-info.img", data->tty_id);
	for (size_t i = 0; i < data->n_lines; i++)
		bytes += data->lines[i];
	if (data->has_edited ? bytes != data->data.len : data->n_lines > 0)
		return fail(EINVAL, "tty-data.img: terminal %" PRIu32 ": lines of %" PRIu64 " bytes in %zu",
			    data->tty_id, bytes, data->data.len);
	return 0;
}

int ttys_validate(const struct model *model)
{
	int err = 0;

	for (size_t i = 0; i < model->ttys.n && !err; i++)
		err = validate_info(model, model->ttys.data[i]);
	for (size_t i = 0; i < model->tty_data.n && !err; i++)
		err = validate_data(model, model->tty_data.data[i]);
	return err;
}

static int tty_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const TtyInfoEntry *info = tty_info_of(ctx->model, entry->tty->tty_info_id);
	const int flags = file_open_flags(entry->tty->flags);
	char key[INHERIT_KEY_BYTES];
	int fd;

	if (info->type == TTY_TYPE__EXT_TTY || tty_external_behind(ctx->model, info))
		return tty_external_make(ctx, entry, info, ret);
	inherit_key_tty(key, info->rdev, info->dev);
	fd = options_inherited(ctx->options, key);
	if (fd >= 0)
		return inherit_take(fd, flags, ret);
	return pty_is_made(ctx->model, info) ? pty_open(ctx, entry, info, ret)
					     : tty_outside_make(ctx, info, flags, ret);
}

int tty_session_fd(struct files_restore *ctx, const TtyInfoEntry *info)
{
	const struct files_restore_state *state = files_restore_state(ctx);
	int fd = info->type == TTY_TYPE__PTY ? pty_slave_fd(ctx, info) : -1;

	for (size_t i = 0; fd < 0 && i < state->all_made.n; i++) {
		const FileEntry *entry = state->all_made.data[i]->entry;

		if (entry->type == FD_TYPES__TTY && entry->tty->tty_info_id == info->id)
			fd = state->all_made.data[i]->fd;
	}
	if (fd < 0 && info->type == TTY_TYPE__EXT_TTY)
		return tty_external_fd(ctx->options, info);
	return fd < 0 ? fail(ENOENT, "terminal %" PRIu32 " of session %" PRIu32 " was not made", info->id, info->sid)
		      : fd;
}

static int tty_settle(struct files_restore *ctx, const FileEntry *entry, int fd)
{
	const TtyInfoEntry *info = tty_info_of(ctx->model, entry->tty->tty_info_id);
	char key[INHERIT_KEY_BYTES];

	inherit_key_tty(key, info->rdev, info->dev);
	if (info->type == TTY_TYPE__EXT_TTY || options_inherited(ctx->options, key) >= 0 ||
	    pty_is_made(ctx->model, info) || tty_external_behind(ctx->model, info) ||
	    hash_put(&files_restore_state(ctx)->ttys_settled, info->id, 0, (void *)info))
		return 0;
	tty_outside_settle(ctx, info, fd);
	return 0;
}

const struct file_kind tty_kind = {
	.type = FD_TYPES__TTY,
	.name = "terminal",
	.match = tty_match,
	.plan = tty_plan,
	.resolve = tty_resolve,
	.dump = tty_dump,
	.validate = tty_validate,
	.make = tty_make,
	.settle = tty_settle,
};
