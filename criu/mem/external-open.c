/*
 * Restore: the live object that processes outside the tree hold, see external.h. All ways end in the same question:
 * is it the inode that was recorded? Device and inode number must be, and so must the file handle with its generation.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "kernel/hugepages.h"
#include "kernel/proc.h"
#include "kernel/syscalls.h"
#include "mem/external-handle.h"
#include "mem/external.h"
#include "mem/holders.h"
#include "util/log.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

const ExternalObjectEntry *external_find(const struct model *model, uint64_t id)
{
	for (size_t i = 0; i < model->external_objects.n; i++)
		if (model->external_objects.data[i]->id == id)
			return model->external_objects.data[i];
	return NULL;
}

/* All of them, as the dump saw them. */
static char *recorded_text(const ExternalObjectEntry *entry)
{
	outside_holders holders = { 0 };
	char *text;

	for (size_t i = 0; i < entry->n_holders; i++) {
		const ExternalHolderEntry *recorded = entry->holders[i];
		struct outside_holder *holder = VEC_ADD(&holders);

		holder->pid = (pid_t)recorded->pid;
		holder->tid = (pid_t)recorded->tid;
		holder->fd = recorded->has_fd ? (int)recorded->fd : -1;
		holder->start = recorded->start;
		holder->end = recorded->end;
		snprintf(holder->comm, sizeof(holder->comm), "%s", recorded->comm);
		snprintf(holder->access, sizeof(holder->access), "%s", recorded->access);
	}
	text = holders.n ? holders_text(holders.data, holders.n) : xstrdup("whom /proc did not show");
	VEC_FREE(&holders);
	return text;
}

int external_decide(const ExternalObjectEntry *entry, const struct options *options, bool *ret_attach)
{
	auto_free char *holders = recorded_text(entry);

	switch (options->external_holders) {
	case EXTERNAL_REFUSE:
		return fail(EBUSY,
			    "%s %s (%llu bytes) was shared with processes outside the tree: %s (--external-holders "
			    "refuse)",
			    entry->kind, entry->name, (unsigned long long)entry->size, holders);
	case EXTERNAL_COPY:
		if (!entry->saved)
			return fail(ENODATA,
				    "%s %s (%llu bytes): its content stayed with the processes outside the tree: %s; "
				    "only a dump with --external-holders copy saves it",
				    entry->kind, entry->name, (unsigned long long)entry->size, holders);
		*ret_attach = false;
		return 0;
	case EXTERNAL_ATTACH:
		*ret_attach = true;
		return 0;
	default:
		*ret_attach = !entry->saved;
		return 0;
	}
}

static void read_handle(const ExternalObjectEntry *entry, struct inode_handle *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!entry->handle)
		return;
	ret->bytes = entry->handle->bytes;
	ret->type = entry->handle->type;
	memcpy(ret->data, entry->handle->handle, ret->bytes);
}

static bool is_recorded(const ExternalObjectEntry *entry, int fd)
{
	struct inode_handle want, have;
	struct stat st;

	if (fstat(fd, &st) || st.st_dev != entry->dev || st.st_ino != entry->ino)
		return false;
	read_handle(entry, &want);
	return !inode_read_handle(fd, &have) && inode_same_handle(&want, &have);
}

static int open_by_handle(const ExternalObjectEntry *entry)
{
	struct inode_handle handle;
	auto_fd int anchor = -1;
	int fd;

	read_handle(entry, &handle);
	if (!handle.bytes)
		return -ENOENT;
	anchor = handle_anchor(entry->dev, entry->name);
	if (anchor < 0)
		return -ENOENT;
	fd = handle_open(anchor, &handle);
	if (fd < 0)
		pr_info("%s: its file handle can't be opened: %s", entry->name, strerror(-fd));
	return fd;
}

static int open_of_holder(const ExternalObjectEntry *entry, const ExternalHolderEntry *holder)
{
	struct proc_stat stat;
	auto_fd int fd = -1;
	char name[80];

	if (proc_read_stat(holder->pid, 0, &stat) || stat.start_time != holder->start_time)
		return -ENOENT;
	if (holder->has_fd)
		snprintf(name, sizeof(name), "task/%u/fd/%u", holder->has_tid ? holder->tid : holder->pid, holder->fd);
	else
		snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)holder->start,
			 (unsigned long long)holder->end);
	fd = proc_open(holder->pid, name, O_PATH);
	return fd >= 0 && is_recorded(entry, fd) ? take_fd(&fd) : -ENOENT;
}

static char *fs_text(uint64_t magic, uint64_t huge_bytes)
{
	if (huge_bytes)
		return xasprintf("a hugetlbfs with pages of %llu kB", (unsigned long long)huge_bytes >> 10);
	if (magic == FS_MAGIC_TMPFS)
		return xstrdup("a tmpfs");
	return xasprintf("a file system of type %#llx", (unsigned long long)magic);
}

static int check_file_system(const ExternalObjectEntry *entry, int fd, int given)
{
	auto_free char *have = NULL, *want = NULL;
	uint64_t huge_bytes = huge_fd_bytes(fd);
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return fail_errno("%s: inherited descriptor %d: fstatfs", entry->name, given);
	if ((uint32_t)fs.f_type == entry->fs_magic && huge_bytes == entry->huge_page_bytes)
		return 0;
	have = fs_text((uint32_t)fs.f_type, huge_bytes);
	want = fs_text(entry->fs_magic, entry->huge_page_bytes);
	return fail(EINVAL, "%s: inherited descriptor %d is on %s, the object that was left outside the tree on %s",
		    entry->name, given, have, want);
}

/*
 * The user says that it is the object. It may be a copy that was made elsewhere, so no number tells. Whoever had it
 * last may have made it longer; where it is shorter, mappings of the tree would end in SIGBUS.
 */
static int check_inherited(const ExternalObjectEntry *entry, int fd, int given)
{
	struct stat st;

	if (fstat(fd, &st))
		return fail_errno("%s: inherited descriptor %d: fstat", entry->name, given);
	if (!S_ISREG(st.st_mode))
		return fail(EINVAL, "%s: inherited descriptor %d is no regular file (mode %o), the object was one",
			    entry->name, given, st.st_mode);
	if ((uint64_t)st.st_size < entry->size)
		return fail(EINVAL, "%s: inherited descriptor %d has %lld bytes, the object had %llu", entry->name,
			    given, (long long)st.st_size, (unsigned long long)entry->size);
	if ((uint64_t)st.st_size > entry->size)
		pr_warn("%s: inherited descriptor %d has %lld bytes, the object had %llu when it was dumped",
			entry->name, given, (long long)st.st_size, (unsigned long long)entry->size);
	return entry->has_fs_magic ? check_file_system(entry, fd, given) : 0;
}

static int open_inherited(const ExternalObjectEntry *entry, const struct options *options)
{
	const char *key = entry->name + strspn(entry->name, "/");
	int given = options_inherited(options, key);
	auto_fd int fd = -1;
	char path[64];
	int err;

	if (given < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", given);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("%s: inherited descriptor %d: open", entry->name, given);
	err = check_inherited(entry, fd, given);
	if (err)
		return err;
	pr_info("%s: takes inherited descriptor %d", entry->name, given);
	return take_fd(&fd);
}

/* The flags tell a description that took the number meanwhile from the recorded one, as far as anything does. */
static int take_description(const ExternalObjectEntry *entry, const ExternalHolderEntry *holder, unsigned int flags)
{
	const unsigned int kept = O_ACCMODE | O_APPEND | O_PATH;
	auto_fd int pidfd = -1, fd = -1;
	struct proc_stat stat;
	int have;

	/* Kernels before 6.9 have no pidfds of threads. */
	pidfd = holder->has_tid ? sys_pidfd_open((pid_t)holder->tid, PIDFD_THREAD)
				: sys_pidfd_open((pid_t)holder->pid, 0);
	if (pidfd < 0 || proc_read_stat(holder->pid, 0, &stat) || stat.start_time != holder->start_time)
		return -ENOENT;
	fd = sys_pidfd_getfd(pidfd, (int)holder->fd);
	have = fd < 0 ? -1 : fcntl(fd, F_GETFL);
	if (have < 0 || ((unsigned int)have & kept) != (flags & kept) || !is_recorded(entry, fd))
		return -ENOENT;
	return take_fd(&fd);
}

int external_share(const struct model *model, uint64_t object, uint32_t file_id, unsigned int flags)
{
	const ExternalObjectEntry *entry = external_find(model, object);
	const ExternalHolderEntry *last = NULL;

	if (!entry || strcmp(entry->boot_id, boot_id()) != 0)
		return -ENOENT;
	for (size_t i = 0; i < entry->n_holders; i++) {
		const ExternalHolderEntry *holder = entry->holders[i];
		int fd;

		if (!holder->has_file_id || holder->file_id != file_id)
			continue;
		fd = take_description(entry, holder, flags);
		if (fd >= 0) {
			pr_info("%s: the open file of process %u (%s) fd %u", entry->name, holder->pid, holder->comm,
				holder->fd);
			return fd;
		}
		last = holder;
	}
	if (last)
		pr_warn("%s: process %u (%s) no longer has it open as fd %u: position and flags, which it shared, are "
			"the tree's own from now on",
			entry->name, last->pid, last->comm, last->fd);
	return -ENOENT;
}

static int fail_gone(const ExternalObjectEntry *entry, bool rebooted)
{
	auto_free char *holders = recorded_text(entry);

	return fail(ENOENT,
		    "%s %s (%llu bytes) was left to the processes that share it: %s; and %s. Supply it with "
		    "--inherit-fd fd[N]:%s, or dump with --external-holders copy to save its content",
		    entry->kind, entry->name, (unsigned long long)entry->size, holders,
		    rebooted ? "this is another boot of the system" : "nobody has it any more",
		    entry->name + strspn(entry->name, "/"));
}

int external_open(const ExternalObjectEntry *entry, const struct options *options)
{
	bool rebooted = strcmp(entry->boot_id, boot_id()) != 0;
	int fd = -ENOENT;

	if (!rebooted) {
		auto_fd int found = open_by_handle(entry);

		for (size_t i = 0; found < 0 && i < entry->n_holders; i++)
			found = open_of_holder(entry, entry->holders[i]);
		if (found >= 0 && is_recorded(entry, found))
			fd = take_fd(&found);
	}
	if (fd < 0)
		fd = open_inherited(entry, options);
	return fd == -ENOENT ? fail_gone(entry, rebooted) : fd;
}
