#include "commands/inspect-fs.h"

/* linux/magic.h and the file systems' own headers */
static const struct fs {
	uint32_t magic;
	bool local;
	const char *name;
} file_systems[] = {
	{ 0x01021994, true, "tmpfs" },	    { 0x0000ef53, true, "ext4" },	{ 0x58465342, true, "xfs" },
	{ 0x9123683e, true, "btrfs" },	    { 0x794c7630, false, "overlay" },	{ 0xf2f52010, true, "f2fs" },
	{ 0x2fc12fc1, false, "zfs" },	    { 0x958458f6, false, "hugetlbfs" }, { 0x858458f6, true, "ramfs" },
	{ 0x5345434d, false, "secretmem" }, { 0x65735546, false, "fuse" },	{ 0x00006969, false, "nfs" },
	{ 0xff534d42, false, "cifs" },	    { 0x01021997, false, "9p" },	{ 0x0bd00bd0, false, "lustre" },
	{ 0x73717368, true, "squashfs" },   { 0xe0f5e1e2, true, "erofs" },	{ 0x00009fa0, false, "proc" },
	{ 0x62656572, false, "sysfs" },	    { 0xca451a4e, true, "bcachefs" },
};

static const struct fs *find(uint64_t magic)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_systems); i++)
		if (file_systems[i].magic == (uint32_t)magic)
			return &file_systems[i];
	return NULL;
}

const char *fs_name(uint64_t magic, struct arena *arena)
{
	const struct fs *fs = find(magic);

	return fs ? fs->name : arena_printf(arena, "%#x", (uint32_t)magic);
}

bool fs_is_local(uint64_t magic)
{
	const struct fs *fs = find(magic);

	return fs && fs->local;
}
