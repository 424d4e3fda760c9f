/*
 * Descriptors of memfds.
 *
 * The object (name, size, seals, pages) is mem/shmem.h's. A description adds
 * flags, position and owner. Each one is opened anew from the one object, so
 * that read-only twins of a writable memfd stay read-only.
 */
#include <inttypes.h>
#include <stdio.h>

#include "files/files-internal.h"
#include "files/fown.h"
#include "files/inherit.h"
#include "mem/external.h"

static bool memfd_match(const struct file_desc *desc)
{
	return desc->inode && desc->inode->kind == INODE_MEMFD;
}

static int memfd_plan(struct files_dump *ctx, struct file_desc *desc)
{
	MemfdFileEntry *memfd = model_new(ctx->model, MemfdFileEntry, memfd_file_entry__init);

	desc->entry->memfd = memfd;
	memfd->id = desc->entry->id;
	memfd->flags = desc->info.flags & ~FILE_FLAGS_NEVER;
	memfd->pos = desc->info.pos;
	memfd->inode_id = desc->inode->id;
	return fown_dump(ctx, desc, &memfd->fown);
}

static const MemfdInodeEntry *memfd_inode(const struct model *model, uint32_t inode_id)
{
	for (size_t i = 0; i < model->memfds.n; i++)
		if (model->memfds.data[i]->inode_id == inode_id)
			return model->memfds.data[i];
	return NULL;
}

static int memfd_validate(const struct model *model, const FileEntry *entry)
{
	const MemfdFileEntry *memfd = entry->memfd;

	if (!memfd || memfd->id != entry->id)
		return fail(EINVAL, "memfd without its entry");
	if (memfd->pos > INT64_MAX)
		return fail(EINVAL, "position %" PRIu64 " is out of range", memfd->pos);
	return 0;
}

static int find_inherited(struct files_restore *ctx, uint32_t inode_id)
{
	const MemfdInodeEntry *inode = ctx->options->inherit_fds.n ? memfd_inode(ctx->model, inode_id) : NULL;
	auto_free char *key = inode ? xasprintf("/memfd:%s", inode->name) : NULL;

	return key ? options_inherited(ctx->options, key) : -ENOENT;
}

static int memfd_make(struct files_restore *ctx, const FileEntry *entry, struct made_file *ret)
{
	const MemfdFileEntry *memfd = entry->memfd;
	int object = find_inherited(ctx, memfd->inode_id);
	auto_fd int fd = -1;

	if (shmem_is_attached(ctx->shmem, memfd->inode_id)) {
		ret->fd = external_share(ctx->model, memfd->inode_id, entry->id, memfd->flags);
		ret->inherited = ret->fd >= 0;
		if (ret->inherited)
			return 0;
	} else if (object >= 0) {
		return inherit_take(object, memfd->flags, ret);
	}
	object = shmem_memfd_fd(ctx->shmem, memfd->inode_id);
	if (object < 0)
		return object;
	fd = file_reopen(object, memfd->flags);
	if (fd < 0)
		return fail(-fd, "cannot reopen memfd %" PRIu32, memfd->inode_id);
	if (memfd->pos && !(memfd->flags & O_PATH) && lseek(fd, memfd->pos, SEEK_SET) < 0)
		return fail_errno("memfd %" PRIu32 ": cannot seek to %" PRIu64, memfd->inode_id, memfd->pos);
	ret->fd = take_fd(&fd);
	return 0;
}

const struct file_kind memfd_kind = {
	.type = FD_TYPES__MEMFD,
	.name = "memfd",
	.match = memfd_match,
	.plan = memfd_plan,
	.validate = memfd_validate,
	.make = memfd_make,
};
