/*
 * What the kernel keeps: an inode, found by the numbers fstat(2) gives for a descriptor of it. As the
 * registry holds a descriptor of every inode it knows, a number is not reused while it matters,
 * except on file systems whose numbers are too small (tmpfs without inode64, some FUSE and network
 * ones); there the file handle, which carries a generation, decides.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#include "kernel/hugepages.h"
#include "kernel/path.h"
#include "kernel/proc.h"
#include "kernel/syscalls.h"
#include "mem/inode.h"
#include "util/log.h"

#define FS_MAGIC_PIPE	    0x50495045
#define FS_MAGIC_SOCK	    0x534f434b
#define FS_MAGIC_ANON_INODE 0x09041934

static bool starts_with(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

int inode_read_handle(int fd, struct inode_handle *ret)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(ret->data)];
	} u = { .handle.handle_bytes = sizeof(ret->data) };

	memset(ret, 0, sizeof(*ret));
	if (name_to_handle_at(fd, "", &u.handle, &ret->mount_id, AT_EMPTY_PATH)) {
		if (errno == EOPNOTSUPP || errno == EOVERFLOW || errno == ENOSYS || errno == EPERM)
			return 0;
		return fail_errno("fd %d: file handle", fd);
	}
	ret->bytes = u.handle.handle_bytes;
	ret->type = u.handle.handle_type;
	memcpy(ret->data, u.handle.f_handle, ret->bytes);
	return 0;
}

bool inode_same_handle(const struct inode_handle *a, const struct inode_handle *b)
{
	if (!a->bytes || !b->bytes)
		return true;
	return a->type == b->type && a->bytes == b->bytes && !memcmp(a->data, b->data, a->bytes);
}

int inode_same(int fd_a, int fd_b)
{
	struct inode_handle handle_a, handle_b;
	struct stat a, b;
	int err;

	if (fstat(fd_a, &a))
		return fail_errno("fd %d: fstat", fd_a);
	if (fstat(fd_b, &b))
		return fail_errno("fd %d: fstat", fd_b);
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino || (a.st_mode & S_IFMT) != (b.st_mode & S_IFMT))
		return 0;

	err = inode_read_handle(fd_a, &handle_a) ?: inode_read_handle(fd_b, &handle_b);
	if (err)
		return err;
	return inode_same_handle(&handle_a, &handle_b);
}

struct inode *inode_get(const struct inodes *inodes, int fd, const struct stat *st)
{
	struct inode *inode = hash_get(&inodes->by_number, st->st_dev, st->st_ino);
	struct inode_handle handle;

	/* What counts of a device node is its device. */
	if (inode && S_ISCHR(st->st_mode) && S_ISCHR(inode->st.st_mode) && inode->st.st_rdev == st->st_rdev)
		return inode;
	if (!inode || inode_read_handle(fd, &handle))
		return NULL;
	for (; inode; inode = inode->next)
		if ((inode->st.st_mode & S_IFMT) == (st->st_mode & S_IFMT) &&
		    inode_same_handle(&inode->handle, &handle))
			return inode;
	return NULL;
}

int inode_open(const struct inode *inode, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode->fd);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return fail_errno("%s: open by descriptor", inode->name);
	return fd;
}

/* Only its owner may ask for a read that moves no access time. */
int inode_open_to_read(const struct inode *inode)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", inode->fd);
	fd = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
	return fd < 0 ? inode_open(inode, O_RDONLY) : fd;
}

static void split_name(struct inode *inode, const char *name)
{
	size_t len = path_bare_len(name, &inode->st);

	inode->name = xstrdup(name);
	inode->name[len] = '\0';
	inode->deleted = name[len] != '\0';
}

/* Memfds and anonymous shared memory live on a tmpfs that is mounted nowhere; any memfd tells its number. */
static dev_t kernel_shm_dev(struct inodes *inodes)
{
	auto_fd int fd = -1;
	struct stat st;

	if (inodes->shm_dev)
		return inodes->shm_dev;
	fd = memfd_create("criu-probe", MFD_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st))
		inodes->shm_dev = st.st_dev;
	return inodes->shm_dev;
}

/* For huge pages it has one hugetlbfs of each page size, mounted nowhere. */
static bool is_kernel_huge_dev(dev_t dev, uint64_t page_bytes)
{
	auto_fd int fd = memfd_create("criu-probe", MFD_CLOEXEC | MFD_HUGETLB | huge_size_flag(page_bytes));
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && st.st_dev == dev;
}

bool inode_is_anon_huge(int fd, const struct stat *st, const char *name)
{
	uint64_t page_bytes = huge_fd_bytes(fd);

	return page_bytes && starts_with(name, "/anon_hugepage") && is_kernel_huge_dev(st->st_dev, page_bytes);
}

static enum inode_kind find_huge_kind(const struct inode *inode)
{
	if (!is_kernel_huge_dev(inode->st.st_dev, inode->huge_bytes))
		return S_ISSOCK(inode->st.st_mode) ? INODE_OTHER : INODE_FILE;
	return starts_with(inode->name, "/SYSV") ? INODE_SYSV : INODE_MEMFD;
}

static enum inode_kind find_kind(struct inodes *inodes, const struct inode *inode)
{
	switch (inode->fs_magic) {
	case FS_MAGIC_HUGETLBFS:
		return find_huge_kind(inode);
	case FS_MAGIC_PIPE:
	case FS_MAGIC_SOCK:
	case FS_MAGIC_ANON_INODE:
	case FS_MAGIC_SECRETMEM:
		return INODE_OTHER;
	}
	if (inode->fs_magic == FS_MAGIC_TMPFS && inode->st.st_dev == kernel_shm_dev(inodes)) {
		if (starts_with(inode->name, "/memfd:"))
			return INODE_MEMFD;
		if (starts_with(inode->name, "/SYSV"))
			return INODE_SYSV;
		return strcmp(inode->name, "/dev/zero") ? INODE_OTHER : INODE_ANON_SHARED;
	}
	return S_ISSOCK(inode->st.st_mode) ? INODE_OTHER : INODE_FILE;
}

/*
 * A file of a lower layer keeps its link count when it is removed from the
 * overlay, yet nothing can be linked to it: only trying tells. The name
 * exists for the moment between the two calls.
 */
static bool overlay_can_link(struct inodes *inodes, const struct inode *inode)
{
	const char *name;
	auto_fd int dir_fd = path_open_parent(inode->name, &name);
	auto_free char *path = NULL;
	char from[64];
	int slot;

	if (dir_fd < 0)
		return dir_fd != -ENOENT && dir_fd != -EINVAL;
	/* Without a try: a second name that was left to it would be a rare thing. */
	if (inodes->passive)
		return inode->st.st_nlink > 1;
	path = xasprintf("%.*s.criu-probe.%d.%llx", (int)(name - inode->name), inode->name, getpid(),
			 (unsigned long long)inode->st.st_ino);
	name = path + (name - inode->name);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", inode->fd);
	slot = guard_name_add(inodes->guard, path, &inode->st, 0);
	if (slot < 0)
		return false;
	if (linkat(AT_FDCWD, from, dir_fd, name, AT_SYMLINK_FOLLOW)) {
		guard_name_drop(inodes->guard, slot);
		return errno != ENOENT;
	}
	unlinkat(dir_fd, name, 0);
	guard_name_drop(inodes->guard, slot);
	return true;
}

static bool find_unlinked(struct inodes *inodes, const struct inode *inode)
{
	if (!inode->st.st_nlink)
		return true;
	/* rmdir(2) leaves a count on some file systems. */
	if (inode->deleted && S_ISDIR(inode->st.st_mode))
		return true;
	return inode->deleted && inode->kind == INODE_FILE && inode->fs_magic == FS_MAGIC_OVERLAY &&
	       !overlay_can_link(inodes, inode);
}

static void inode_free(struct inode *inode)
{
	if (inode->fd >= 0)
		close(inode->fd);
	free(inode->name);
	VEC_FREE(&inode->holders);
	VEC_FREE(&inode->outsiders);
	VEC_FREE(&inode->carried_names);
	VEC_FREE(&inode->remap_files);
	free(inode);
}

/* A duplicate would keep open what a running task closes. */
static int hold(const struct inodes *inodes, int fd)
{
	char path[64];

	if (!inodes->passive)
		return fcntl(fd, F_DUPFD_CLOEXEC, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_PATH | O_CLOEXEC);
}

static struct inode *inode_new(struct inodes *inodes, int fd, const struct stat *st, const char *name)
{
	struct inode *inode = xalloc(sizeof(*inode));
	struct statfs fs;

	inode->st = *st;
	inode->fd = hold(inodes, fd);
	if (inode->fd < 0) {
		fail_errno("%s: duplicate descriptor %d", name, fd);
		inode_free(inode);
		return NULL;
	}
	if (inode_read_handle(fd, &inode->handle)) {
		inode_free(inode);
		return NULL;
	}
	if (fstatfs(fd, &fs)) {
		fail_errno("%s: fstatfs", name);
		inode_free(inode);
		return NULL;
	}
	inode->fs_magic = (uint32_t)fs.f_type;
	inode->huge_bytes = inode->fs_magic == FS_MAGIC_HUGETLBFS ? (uint64_t)fs.f_bsize : 0;
	split_name(inode, name);
	inode->kind = find_kind(inodes, inode);
	inode->unlinked = find_unlinked(inodes, inode);
	return inode;
}

struct inode *inode_intern(struct inodes *inodes, int fd, const struct stat *st, const char *name)
{
	struct inode *inode = inode_get(inodes, fd, st);

	if (inode)
		return inode;
	inode = inode_new(inodes, fd, st, name);
	if (!inode)
		return NULL;
	VEC_PUSH(&inodes->all, inode);
	inode->id = inodes->all.n;
	inode->next = hash_put(&inodes->by_number, st->st_dev, st->st_ino, inode);
	return inode;
}

struct inode *inode_lower(struct inodes *inodes, struct inode *inode)
{
	struct inode *lower;

	if (inode->lower)
		return inode->lower;
	lower = xalloc(sizeof(*lower));
	lower->kind = inode->kind;
	lower->fs_magic = inode->fs_magic;
	lower->st = inode->st;
	lower->st.st_size = lower->st.st_blocks = 0;
	lower->name = xstrdup(inode->name);
	lower->deleted = inode->deleted;
	lower->unlinked = lower->is_lower = true;
	lower->fd = hold(inodes, inode->fd);
	if (lower->fd < 0) {
		fail_errno("%s: duplicate descriptor %d", inode->name, inode->fd);
		inode_free(lower);
		return NULL;
	}
	VEC_PUSH(&inodes->all, lower);
	lower->id = inodes->all.n;
	return inode->lower = lower;
}

void inode_add_holder(struct inode *inode, const struct inode_holder *holder)
{
	VEC_PUSH(&inode->holders, *holder);
}

char *inode_first_holder(const struct inode *inode)
{
	const struct inode_holder *holder = inode->holders.data;

	if (!inode->holders.n)
		return xstrdup("the tree");
	if (holder->fd >= 0)
		return xasprintf("task %d %sfd %d", holder->pid, holder->in_flight ? "in the queue of " : "",
				 holder->fd);
	return xasprintf("task %d at %llx-%llx", holder->pid, (unsigned long long)holder->start,
			 (unsigned long long)holder->end);
}

const char *inode_fd_access(unsigned int flags)
{
	static const char *const names[] = { [O_RDONLY] = "r", [O_WRONLY] = "w", [O_RDWR] = "rw", [O_ACCMODE] = "?" };

	return flags & O_PATH ? "p" : names[flags & O_ACCMODE];
}

void inodes_free(struct inodes *inodes)
{
	for (size_t i = 0; i < inodes->all.n; i++)
		inode_free(inodes->all.data[i]);
	VEC_FREE(&inodes->all);
	hash_free(&inodes->by_number);
}
