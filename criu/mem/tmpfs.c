/*
 * A tmpfs decides for its files whether they may have huge pages (huge=), where their memory comes from (mpol=), whether it
 * is ever swapped out (noswap), and who may have how much (quotas). None of it is ours to change: a file is made on the
 * file system that is there, and if that is another one in these respects, a warning names both. Limits
 * of size and inodes make themselves known, and what else there is (mode, uid, inode64) has no effect on a file.
 */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mem/tmpfs.h"
#include "util/log.h"

const struct proc_mount *tmpfs_mount_of(struct tmpfs_mounts *mounts, dev_t dev)
{
	if (!mounts->read && proc_read_mounts(getpid(), &mounts->mounts))
		return NULL;
	mounts->read = true;
	for (size_t i = 0; i < mounts->mounts.n; i++) {
		const struct proc_mount *mount = &mounts->mounts.data[i];

		if (makedev(mount->dev_major, mount->dev_minor) == dev)
			return mount;
	}
	return NULL;
}

void tmpfs_mounts_free(struct tmpfs_mounts *mounts)
{
	proc_mounts_free(&mounts->mounts);
	mounts->read = false;
}

/* Is "key" or "key=..." in the list? */
static bool is_one_of(const char *option, size_t len, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t key_len = strlen(keys[i]);

		if (len >= key_len && !strncmp(option, keys[i], key_len) && (len == key_len || option[key_len] == '='))
			return true;
	}
	return false;
}

/* A memory policy has commas of its own: "mpol=bind:0,2". */
static size_t option_len(const char *option)
{
	size_t len = strcspn(option, ",");

	if (strncmp(option, "mpol=", strlen("mpol=")))
		return len;
	while (option[len] == ',' && option[len + 1] >= '0' && option[len + 1] <= '9')
		len += 1 + strcspn(option + len + 1, ",");
	return len;
}

char *tmpfs_options(const char *super_options)
{
	static const char *const noticed[] = {
		"huge",
		"mpol",
		"noswap",
		"quota",
		"usrquota",
		"grpquota",
		"usrquota_block_hardlimit",
		"usrquota_inode_hardlimit",
		"grpquota_block_hardlimit",
		"grpquota_inode_hardlimit",
		"casefold",
	};
	char *ret = xalloc(strlen(super_options) + 1), *end = ret;

	for (const char *option = super_options; *option;) {
		size_t len = option_len(option);

		/* huge=never is what there is without the option. */
		if (is_one_of(option, len, noticed, ARRAY_SIZE(noticed)) &&
		    (len != strlen("huge=never") || strncmp(option, "huge=never", len) != 0)) {
			if (end > ret)
				*end++ = ',';
			end = mempcpy(end, option, len);
		}
		option += len;
		option += *option == ',';
	}
	*end = '\0';
	return ret;
}

void tmpfs_compare(struct tmpfs_mounts *mounts, const char *path, const char *before, int fd)
{
	const struct proc_mount *mount;
	auto_free char *now = NULL;
	struct stat st;

	if (!before || fstat(fd, &st))
		return;
	mount = tmpfs_mount_of(mounts, st.st_dev);
	if (!mount || strcmp(mount->fstype, "tmpfs") != 0)
		return;
	now = tmpfs_options(mount->super_options);
	if (strcmp(now, before) != 0)
		pr_warn("%s: was on a tmpfs mounted with \"%s\" and is made on one with \"%s\" (%s): its memory may be "
			"placed, swapped out or limited in another way",
			path, before, now, mount->mountpoint);
}
