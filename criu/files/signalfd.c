/*
 * signalfd(2).
 *
 * The kernel keeps: the set of signals, status flags. fdinfo shows both. The
 * signals themselves are those pending for whoever reads, polls or, with
 * epoll, has added the descriptor: task/pending.c queues them again, and
 * eventpoll.c adds the descriptor in the name of its task. Lost: nothing.
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include "files/files-internal.h"
#include "files/fown.h"

/* The kernel takes them out of every set. */
#define SIGNALS_NEVER (1ULL << (SIGKILL - 1) | 1ULL << (SIGSTOP - 1))

static bool signalfd_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:[signalfd]");
}

static int signalfd_plan(struct files_dump *ctx, struct file_desc *desc)
{
	SignalfdEntry *sgfd = model_new(ctx->model, SignalfdEntry, signalfd_entry__init);
	uint64_t mask;

	desc->entry->sgfd = sgfd;
	sgfd->id = desc->entry->id;
	sgfd->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	if (!fdinfo_number(desc->info.text, "sigmask", 16, &mask))
		return fail(EINVAL, "signalfd: its fdinfo shows no sigmask");
	sgfd->sigmask = mask;
	return fown_dump(ctx, desc, &sgfd->fown);
}

static int signalfd_validate(const struct model *model, const FileEntry *entry)
{
	if (!entry->sgfd || entry->sgfd->id != entry->id)
		return fail(EINVAL, "signalfd without its entry");
	if (entry->sgfd->sigmask & SIGNALS_NEVER)
		return fail(EINVAL, "signalfd: its set %#" PRIx64 " has SIGKILL or SIGSTOP", entry->sgfd->sigmask);
	return 0;
}

static int signalfd_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const SignalfdEntry *sgfd = entry->sgfd;
	/* The C library's sigset_t is larger than the kernel's. */
	auto_fd int fd = (int)syscall(SYS_signalfd4, -1, &sgfd->sigmask, sizeof(sgfd->sigmask), SFD_CLOEXEC);

	if (fd < 0)
		return fail_errno("signalfd4");
	if (fcntl(fd, F_SETFL, sgfd->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("signalfd: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

const struct file_kind signalfd_kind = {
	.type = FD_TYPES__SIGNALFD,
	.name = "signalfd",
	.match = signalfd_match,
	.plan = signalfd_plan,
	.validate = signalfd_validate,
	.make = signalfd_make,
};
