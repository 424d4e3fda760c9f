/* Files that are mapped, run or stood in: entries of the model that no descriptor leads to. */
#include <string.h>

#include "files/files-internal.h"
#include "files/files-reg.h"
#include "files/fown.h"
#include "files/locks.h"

/* An entry that is no description: everyone who uses the inode by this name in this mode shares it. */
struct opened_entry {
	const char *name;
	FileEntry *entry;
	struct opened_entry *next;
};

static FileEntry *find_opened(struct files_dump *ctx, const struct inode *inode, const char *name, unsigned int flags)
{
	struct opened_entry *opened = hash_get(&files_dump_state(ctx)->opened, inode->id, flags);

	for (; opened; opened = opened->next)
		if (!strcmp(opened->name, name))
			return opened->entry;
	return NULL;
}

static void add_opened(struct files_dump *ctx, const struct inode *inode, const char *name, FileEntry *entry,
		       unsigned int flags)
{
	struct hash *hash = &files_dump_state(ctx)->opened;
	struct opened_entry *opened = arena_new_of(ctx->model->arena, struct opened_entry);

	opened->name = name;
	opened->entry = entry;
	opened->next = hash_get(hash, inode->id, flags);
	hash_put(hash, inode->id, flags, opened);
}

/* A restore, too, has such a file open once more, and nobody gets a lease for writing then. */
static bool refuse_leased(struct files_dump *ctx, const struct inode *inode)
{
	if (!inode->leased)
		return false;
	refuse(ctx->refusals, "%s: it is mapped or run, and the tree has a lease for writing on it; end one of the two",
	       inode->name);
	return true;
}

static int open_entry(struct files_dump *ctx, struct reg_source *source, FileEntry **ret)
{
	auto_fd int readable = -1;
	FileEntry *entry;
	bool leased;
	int err;

	*ret = find_opened(ctx, source->inode, source->path, source->flags);
	if (*ret)
		return 0;

	leased = refuse_leased(ctx, source->inode);
	if (S_ISREG(source->st->st_mode) && ctx->options->validate_build_id && !leased) {
		readable = file_reopen(source->fd, O_RDONLY);
		if (readable >= 0)
			source->fd = readable;
	}
	source->fown = fown_none(ctx->model);
	entry = model_add_file(ctx->model, FD_TYPES__REG);
	err = reg_add(ctx, source, entry);
	if (err)
		return err;
	add_opened(ctx, source->inode, source->path, entry, source->flags);
	*ret = entry;
	return 0;
}

int files_collect_path(struct files_dump *ctx, struct remote_process *process, const char *name, uint32_t *ret_id)
{
	auto_fd int fd = -1;
	auto_free char *link = NULL;
	struct reg_source source = { 0 };
	struct stat st;
	FileEntry *entry;
	int ret;

	fd = proc_open(process->pid, name, O_PATH);
	if (fd < 0)
		return fail(-fd, "cannot open /proc/%d/%s", process->pid, name);
	if (fstat(fd, &st))
		return fail_errno("/proc/%d/%s: fstat", process->pid, name);
	ret = proc_read_link(process->pid, name, &link);
	if (ret)
		return ret;

	source.inode = inode_intern(ctx->inodes, fd, &st, link);
	if (!source.inode)
		return -EINVAL;
	source.fd = fd;
	source.st = &st;
	source.path = file_path(ctx->model->arena, link, &st);
	source.flags = S_ISDIR(st.st_mode) ? O_RDONLY | O_DIRECTORY : O_RDONLY;
	ret = open_entry(ctx, &source, &entry);
	if (!ret)
		*ret_id = entry->id;
	return ret;
}

static FileEntry *memfd_entry(struct files_dump *ctx, const struct vma *vma, unsigned int flags)
{
	FileEntry *entry = find_opened(ctx, vma->inode, "", flags);

	if (entry)
		return entry;
	entry = model_add_file(ctx->model, FD_TYPES__MEMFD);
	entry->memfd = model_new(ctx->model, MemfdFileEntry, memfd_file_entry__init);
	entry->memfd->id = entry->id;
	entry->memfd->flags = flags | FILE_FLAG_LARGEFILE;
	entry->memfd->fown = fown_none(ctx->model);
	entry->memfd->inode_id = vma->inode->id;
	add_opened(ctx, vma->inode, "", entry, flags);
	return entry;
}

int files_collect_vma(struct files_dump *ctx, struct remote_process *process, struct vma *vma)
{
	/* A read-only view that mprotect could never make writable is recognised by the mode of its file. */
	unsigned int flags = (vma->entry->status & VMA_FILE_SHARED) && vma->may_write ? O_RDWR : O_RDONLY;
	FileEntry *entry;
	int ret;

	if (!vma->inode ||
	    (vma->inode->kind != INODE_FILE && vma->inode->kind != INODE_MEMFD && vma->inode->kind != INODE_OTHER))
		return 0;

	LOG_SCOPE_HEX("mapping", vma->entry->start);
	if (vma->inode->kind == INODE_MEMFD) {
		entry = memfd_entry(ctx, vma, flags);
	} else {
		struct reg_source source = {
			.inode = vma->inode,
			.st = &vma->inode->st,
			.fd = vma->inode->fd,
			.path = vma->name,
			.flags = flags,
		};

		ret = open_entry(ctx, &source, &entry);
		if (ret)
			return ret;
	}
	vma->entry->shmid = entry->id;
	vma->entry->has_fdflags = true;
	vma->entry->fdflags = flags;
	return 0;
}
