/*
 * What the kernel keeps: mbind(2) on a shared mapping of tmpfs memory (files, memfds, anonymous) sets a policy of the
 * object itself, by ranges, for whoever maps it; elsewhere it is one of the mapping. It shows to anyone who maps the
 * object, so we map it ourselves; no page is touched. Ranges begin where mappings of the task that set them do, because
 * the kernel splits those.
 */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem/numa.h"
#include "util/log.h"

#define MODE_FLAGS (7 << 13)

static const char *mode_name(int mode)
{
	static const char *const names[] = {
		"default", "prefer", "bind", "interleave", "local", "prefer many", "weighted interleave"
	};

	mode &= ~MODE_FLAGS;
	return mode >= 0 && (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "unknown";
}

/* The mode at @addr of our own memory; MPOL_DEFAULT also if it can't be had. */
static int mode_at(const char *addr)
{
	int mode = MPOL_DEFAULT;

	return syscall(SYS_get_mempolicy, &mode, NULL, 0, addr, MPOL_F_ADDR) ? MPOL_DEFAULT : mode;
}

static int find_mode(const struct inode *inode, const char *ours)
{
	int mode = MPOL_DEFAULT;

	for (size_t i = 0; i < inode->holders.n && mode == MPOL_DEFAULT; i++)
		if (inode->holders.data[i].fd < 0)
			mode = mode_at(ours + inode->holders.data[i].offset);
	return mode;
}

void numa_warn(const struct inode *inode)
{
	uint64_t bytes = inode->mapped_end;
	auto_fd int fd = -1;
	void *ours;
	int mode;

	if (inode->fs_magic != FS_MAGIC_TMPFS || !bytes)
		return;
	fd = inode_open(inode, O_RDONLY);
	if (fd < 0)
		return;
	ours = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (ours == MAP_FAILED)
		return;
	mode = find_mode(inode, ours);
	munmap(ours, bytes);
	if (mode != MPOL_DEFAULT)
		pr_warn("%s: its NUMA memory policy (%s) is not saved: set it again with mbind(2) after the restore",
			inode->name, mode_name(mode));
}
