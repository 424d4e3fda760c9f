/*
 * eventfd(2).
 *
 * The kernel keeps: a 64-bit counter, the semaphore mode, status flags. fdinfo
 * shows the counter in hexadecimal and, since 6.5, the mode; reading the
 * descriptor would reset it. Lost: the mode, where it is not shown. The image
 * has no field for the mode: it takes bit 0 of the flags, EFD_SEMAPHORE's own
 * value, which O_RDWR leaves free.
 */
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#include "files/files-internal.h"
#include "files/fown.h"

static bool eventfd_match(const struct file_desc *desc)
{
	return !strcmp(desc->link, "anon_inode:[eventfd]");
}

static int eventfd_plan(struct files_dump *ctx, struct file_desc *desc)
{
	EventfdFileEntry *efd = model_new(ctx->model, EventfdFileEntry, eventfd_file_entry__init);
	uint64_t counter, semaphore = 0;

	desc->entry->efd = efd;
	efd->id = desc->entry->id;
	efd->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	if (!fdinfo_number(desc->info.text, "eventfd-count", 16, &counter))
		return fail(EINVAL, "eventfd: its fdinfo shows no eventfd-count");
	if (!fdinfo_number(desc->info.text, "eventfd-semaphore", 10, &semaphore))
		pr_warn("eventfd: this kernel does not tell whether it is a semaphore; it is restored as a counter");
	if (semaphore)
		efd->flags |= EFD_SEMAPHORE;
	efd->counter = counter;
	return fown_dump(ctx, desc, &efd->fown);
}

static int eventfd_validate(const struct model *model, const FileEntry *entry)
{
	if (!entry->efd || entry->efd->id != entry->id)
		return fail(EINVAL, "eventfd without its entry");
	if (entry->efd->counter == UINT64_MAX)
		return fail(EINVAL, "eventfd counter is out of range");
	return 0;
}

static int eventfd_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const EventfdFileEntry *efd = entry->efd;
	auto_fd int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | (efd->flags & EFD_SEMAPHORE));

	if (fd < 0)
		return fail_errno("eventfd2");
	if (efd->counter && write(fd, &efd->counter, sizeof(efd->counter)) != sizeof(efd->counter))
		return fail_errno("cannot set the counter of the eventfd to %" PRIu64, efd->counter);
	if (fcntl(fd, F_SETFL, efd->flags & ~(uint32_t)O_ASYNC))
		return fail_errno("eventfd: F_SETFL");
	ret->fd = take_fd(&fd);
	return 0;
}

const struct file_kind eventfd_kind = {
	.type = FD_TYPES__EVENTFD,
	.name = "eventfd",
	.match = eventfd_match,
	.plan = eventfd_plan,
	.validate = eventfd_validate,
	.make = eventfd_make,
};
