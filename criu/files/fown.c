/*
 * Signal owner of a description.
 *
 * The kernel keeps: owner (thread, process or group), signal, and the user ids
 * that decide whom the signal may reach. All can be read from a duplicate;
 * O_PATH descriptors have none. A dead owner reads as 0. On restore the owner
 * has to exist, so this comes when all tasks do. O_ASYNC was switched on
 * before, under the right number (files-attach.c); without an owner it tells nobody.
 */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "files/files-internal.h"
#include "files/fown.h"

#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif

static bool owner_in_tree(const struct remote_tree *tree, const struct f_owner_ex *owner)
{
	for (size_t i = 0; i < tree->n; i++) {
		const struct remote_process *process = tree->processes[i];

		if (owner->type == F_OWNER_PGRP && process->stat.pgid == owner->pid)
			return true;
		if (owner->type == F_OWNER_PID && process->pid == owner->pid)
			return true;
		for (size_t t = 0; owner->type == F_OWNER_TID && t < process->n_threads; t++)
			if (process->threads[t].tid == owner->pid)
				return true;
	}
	return false;
}

FownEntry *fown_none(struct model *model)
{
	FownEntry *fown = model_new(model, FownEntry, fown_entry__init);

	fown->pid_type = F_OWNER_PID;
	return fown;
}

int fown_dump(struct files_dump *ctx, const struct file_desc *desc, FownEntry **ret)
{
	FownEntry *fown = fown_none(ctx->model);
	struct f_owner_ex owner;
	uid_t uids[2];
	int signum;

	*ret = fown;
	if (desc->info.flags & O_PATH)
		return 0;
	if (fcntl(desc->fd, F_GETOWN_EX, &owner))
		return fail_errno("F_GETOWN_EX");
	signum = fcntl(desc->fd, F_GETSIG);
	if (signum < 0)
		return fail_errno("F_GETSIG");
	fown->signum = signum;
	if (!owner.pid)
		return 0;

	if (!owner_in_tree(ctx->tree, &owner)) {
		refuse(ctx->refusals,
		       "%s: its readiness signals go to %s %d outside the tree; clear that with fcntl(F_SETOWN, 0) or "
		       "dump the owner too",
		       desc->link, owner.type == F_OWNER_PGRP ? "process group" : "process", owner.pid);
		return 0;
	}
	if (fcntl(desc->fd, F_GETOWNER_UIDS, uids))
		return fail_errno("F_GETOWNER_UIDS");
	fown->uid = uids[0];
	fown->euid = uids[1];
	fown->pid_type = owner.type;
	fown->pid = owner.pid;
	return 0;
}

/* What the entries of all kinds have. */
struct common {
	const FownEntry *fown;
	unsigned int flags;
};

static struct common common_of(const struct model *model, const FileEntry *entry)
{
	const FileEntry *reg;

	switch (entry->type) {
	case FD_TYPES__REG:
		return (struct common){ entry->reg->fown, entry->reg->flags };
	case FD_TYPES__PIPE:
		return (struct common){ entry->pipe->fown, entry->pipe->flags };
	case FD_TYPES__EVENTFD:
		return (struct common){ entry->efd->fown, entry->efd->flags };
	case FD_TYPES__EVENTPOLL:
		return (struct common){ entry->epfd->fown, entry->epfd->flags };
	case FD_TYPES__MEMFD:
		return (struct common){ entry->memfd->fown, entry->memfd->flags };
	case FD_TYPES__UNIXSK:
		return (struct common){ entry->usk->fown, entry->usk->flags };
	case FD_TYPES__NETLINKSK:
		return (struct common){ entry->nlsk->fown, entry->nlsk->flags };
	case FD_TYPES__INETSK:
		return (struct common){ entry->isk->fown, entry->isk->flags };
	case FD_TYPES__PACKETSK:
		return (struct common){ entry->psk->fown, entry->psk->flags };
	case FD_TYPES__TTY:
		return (struct common){ entry->tty->fown, entry->tty->flags };
	case FD_TYPES__SIGNALFD:
		return (struct common){ entry->sgfd->fown, entry->sgfd->flags };
	case FD_TYPES__TIMERFD:
		return (struct common){ entry->tfd->fown, entry->tfd->flags };
	case FD_TYPES__INOTIFY:
		return (struct common){ entry->ify->fown, entry->ify->flags };
	case FD_TYPES__FANOTIFY:
		return (struct common){ entry->ffy->fown, entry->ffy->flags };
	case FD_TYPES__PIDFD:
		return (struct common){ entry->pidfd->fown, entry->pidfd->flags };
	case FD_TYPES__MQUEUE:
		return (struct common){ entry->mqueue->fown, entry->mqueue->flags };
	case FD_TYPES__FIFO:
		reg = model_file(model, entry->fifo->regf_id);
		return reg && reg->reg ? (struct common){ reg->reg->fown, reg->reg->flags } : (struct common){ 0 };
	default:
		return (struct common){ 0 };
	}
}

const FownEntry *fown_of(const struct model *model, const FileEntry *entry)
{
	return common_of(model, entry).fown;
}

unsigned int fown_flags(const struct model *model, const FileEntry *entry)
{
	return common_of(model, entry).flags;
}

int fown_validate(const FownEntry *fown)
{
	if (fown->pid_type > F_OWNER_PGRP)
		return fail(EINVAL, "signal owner of unknown type %" PRIu32, fown->pid_type);
	if (fown->pid > INT_MAX)
		return fail(EINVAL, "signal owner %" PRIu32 " is no process number", fown->pid);
	if (fown->signum > 64)
		return fail(EINVAL, "signal %" PRIu32 " does not exist", fown->signum);
	return 0;
}

static int set_owner(const FownEntry *fown, int fd)
{
	struct f_owner_ex owner = { .type = fown->pid_type, .pid = fown->pid };

	return fcntl(fd, F_SETOWN_EX, &owner) ? -errno : 0;
}

/*
 * The kernel records the ids of whoever sets the owner. A child takes them on:
 * were it done here, the change would clear our parent-death signal and
 * make us undumpable for a moment.
 */
static int set_owner_as(const FownEntry *fown, int fd)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child) {
		int ret = syscall(SYS_setresuid, fown->uid, fown->euid, -1) ? -errno : set_owner(fown, fd);

		_exit(-ret);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int fown_set_owner(const FownEntry *fown, int fd)
{
	int ret;

	if (fown->uid == getuid() && fown->euid == geteuid())
		ret = set_owner(fown, fd);
	else
		ret = set_owner_as(fown, fd);
	if (ret)
		return fail(-ret, "cannot make %s %" PRIu32 " the signal owner",
			    fown->pid_type == F_OWNER_PGRP ? "process group" : "process", fown->pid);
	return 0;
}

int fown_restore(const struct model *model, const FileEntry *entry, int fd)
{
	const struct common common = common_of(model, entry);
	const FownEntry *fown = common.fown;

	if (!fown || (common.flags & O_PATH))
		return 0;
	if (fown->signum && fcntl(fd, F_SETSIG, fown->signum))
		return fail_errno("cannot set signal %" PRIu32 " for readiness", fown->signum);
	/* Terminals take whoever sets O_ASYNC for the owner if there is none: then there is none again. */
	return fown->pid || (common.flags & O_ASYNC) ? fown_set_owner(fown, fd) : 0;
}
