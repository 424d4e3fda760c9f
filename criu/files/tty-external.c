/*
 * Terminals named with --external, which the user gives back with --inherit-fd.
 *
 * Nothing of one is saved or changed but what its sessions in the tree know of it: whose controlling terminal it is,
 * who has its foreground. The key has the numbers of the terminal and of its devpts. A session tells only the first;
 * so does a description that was opened as /dev/tty, which is one of the external terminal if its task's session in
 * the tree has that. It is opened as /dev/tty again, in a session that has the terminal given back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/inherit.h"
#include "files/tty-internal.h"

/* --- dump ------------------------------------------------------------------ */

/* How many terminals named with --external have number @rdev; the file system of one. */
static int count_named(const struct options *options, dev_t rdev, uint64_t *ret_dev)
{
	char key[INHERIT_KEY_BYTES];
	int n = 0;

	for (size_t i = 0; i < options->externals.n; i++) {
		uint64_t number, dev;

		if (sscanf(options->externals.data[i], "tty[%" SCNx64 ":%" SCNx64 "]", &number, &dev) != 2 ||
		    number != rdev)
			continue;
		inherit_key_tty(key, number, dev);
		if (strcmp(key, options->externals.data[i]))
			continue;
		*ret_dev = dev;
		n++;
	}
	return n;
}

static TtyInfoEntry *named_info(struct files_dump *ctx, dev_t rdev, const char *whose)
{
	struct file_desc desc = { .st = { .st_rdev = rdev } };
	uint64_t dev = 0;
	int n = count_named(ctx->options, rdev, &dev);
	TtyInfoEntry *info;

	if (!n)
		return NULL;
	if (n > 1)
		refuse(ctx->refusals,
		       "%s: --external names two terminals with number %llx: which it is can't be seen; name one of "
		       "them only",
		       whose, (unsigned long long)rdev);
	desc.st.st_dev = dev;
	n = ctx->model->ttys.n;
	info = tty_outside_info(ctx, &desc, TTY_TYPE__EXT_TTY);
	/* A new entry, then: nobody has it open whose owner could be seen. */
	if ((size_t)n < ctx->model->ttys.n)
		info->has_uid = info->has_gid = false;
	return info;
}

const char *tty_external_hint(struct arena *arena, dev_t rdev)
{
	char key[INHERIT_KEY_BYTES], name[32];
	struct stat st;

	snprintf(name, sizeof(name), "/dev/pts/%" PRIu32, pty_index_of(rdev));
	if (tty_type_of(rdev) != TTY_TYPE__PTY || stat(name, &st) || st.st_rdev != rdev)
		return arena_printf(arena, "tty[%llx:DEV]", (unsigned long long)rdev);
	inherit_key_tty(key, rdev, st.st_dev);
	return arena_printf(arena, "%s", key);
}

bool tty_external_session(struct files_dump *ctx, const struct remote_process *leader)
{
	TtyInfoEntry *info = named_info(ctx, tty_nr_decode(leader->stat.tty_nr), "controlling terminal");

	if (!info)
		return false;
	info->sid = leader->stat.sid;
	info->pgrp = leader->stat.tty_pgrp > 0 ? leader->stat.tty_pgrp : 0;
	return true;
}

/* The leader of the session in the tree that has this terminal. */
static const struct remote_process *leader_at(const struct files_dump *ctx, dev_t rdev)
{
	for (size_t i = 0; i < ctx->tree->n; i++) {
		const struct remote_process *process = ctx->tree->processes[i];

		if (process->stat.sid == process->pid && process->stat.tty_nr && process->state != REMOTE_ZOMBIE &&
		    tty_nr_decode(process->stat.tty_nr) == rdev)
			return process;
	}
	return NULL;
}

const TtyInfoEntry *tty_external_dev_tty(struct files_dump *ctx, const struct file_desc *desc)
{
	const struct remote_process *leader;
	TtyInfoEntry *info;
	uint32_t number;

	if (tty_type_of(desc->st.st_rdev) != TTY_TYPE__CTTY || ioctl(desc->fd, TIOCGDEV, &number))
		return NULL;
	leader = leader_at(ctx, tty_nr_decode((int)number));
	if (!leader || !named_info(ctx, tty_nr_decode((int)number), desc->link))
		return NULL;
	for (size_t i = 0; i < ctx->model->ttys.n; i++) {
		info = ctx->model->ttys.data[i];
		if (info->type == TTY_TYPE__CTTY && info->sid == (uint32_t)leader->pid)
			return info;
	}
	info = tty_info_new(ctx, desc, TTY_TYPE__CTTY, ctx->model->ttys.n + 1);
	info->sid = leader->pid;
	info->pgrp = leader->stat.tty_pgrp > 0 ? leader->stat.tty_pgrp : 0;
	return info;
}

/* --- restore ---------------------------------------------------------------- */

const TtyInfoEntry *tty_external_behind(const struct model *model, const TtyInfoEntry *info)
{
	const TtyInfoEntry *terminal =
		info->type == TTY_TYPE__CTTY && info->sid ? tty_of_session(model, info->sid) : NULL;

	return terminal && terminal->type == TTY_TYPE__EXT_TTY ? terminal : NULL;
}

int tty_external_fd(const struct options *options, const TtyInfoEntry *info)
{
	char key[INHERIT_KEY_BYTES];
	int fd;

	inherit_key_tty(key, info->rdev, info->dev);
	fd = options_inherited(options, key);
	if (fd < 0)
		return fail(ENOENT, "terminal %s is external; supply it with --inherit-fd fd[N]:%s", key, key);
	return isatty(fd) ? fd : fail(ENOTTY, "--inherit-fd fd[%d]:%s: it is no terminal, or was hung up", fd, key);
}

int tty_external_make(struct files_restore *ctx, const FileEntry *entry, const TtyInfoEntry *info,
		      struct made_file *ret)
{
	const int flags = file_open_flags(entry->tty->flags);
	const TtyInfoEntry *behind = tty_external_behind(ctx->model, info);
	int fd = tty_external_fd(ctx->options, behind ? behind : info);

	if (fd < 0)
		return fd;
	if (!behind)
		return inherit_take(fd, flags, ret);
	ret->fd = tty_open_in_session(fd, ctx->model, entry, flags);
	return ret->fd < 0 ? fail(-ret->fd, "cannot open the terminal given as descriptor %d as /dev/tty%s", fd,
				  ret->fd == -EPERM ? ": it is another session's" : "")
			   : 0;
}
