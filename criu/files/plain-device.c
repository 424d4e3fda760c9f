/*
 * Devices of memory like /dev/null.
 *
 * The kernel keeps: status flags. It is the inode's number that makes such a device, and each has its place where every
 * system has it, which will do if the name it was opened by leads there no more. Lost: nothing.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "files/plain-device.h"

#define MEM_MAJOR 1

#define KMSG_MINOR 11

/* By minor number. */
static const char *const mem_devices[] = {
	[3] = "/dev/null",   [5] = "/dev/zero",	   [7] = "/dev/full",
	[8] = "/dev/random", [9] = "/dev/urandom", [KMSG_MINOR] = "/dev/kmsg",
};

const char *plain_device_path(const struct stat *st)
{
	if (!S_ISCHR(st->st_mode) || major(st->st_rdev) != MEM_MAJOR || minor(st->st_rdev) >= ARRAY_SIZE(mem_devices))
		return NULL;
	return mem_devices[minor(st->st_rdev)];
}

bool plain_device_match(const struct stat *st, unsigned int flags)
{
	if (!plain_device_path(st))
		return false;
	/* A reader has a place in the kernel's log that can't be set. */
	return minor(st->st_rdev) != KMSG_MINOR || (flags & O_ACCMODE) == O_WRONLY;
}

bool plain_device_at(const char *path, const struct stat *want)
{
	struct stat st;

	return !stat(path, &st) && S_ISCHR(st.st_mode) && st.st_rdev == want->st_rdev;
}

void plain_device_take(struct files_dump *ctx, const struct stat *want, RegFileEntry *reg)
{
	const char *standard = plain_device_path(want);
	struct stat st;

	if (!standard || stat(standard, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != want->st_rdev) {
		refuse(ctx->refusals,
		       "device %s (%u:%u) is not reachable by its path: have its node made there again, or close it, "
		       "before the dump",
		       reg->name, major(want->st_rdev), minor(want->st_rdev));
		return;
	}
	if (!ctx->options->evasive_devices) {
		refuse(ctx->refusals,
		       "device %s is not reachable by its path; use --evasive-devices to take %s instead", reg->name,
		       standard);
		return;
	}
	reg->name = arena_strdup(ctx->model->arena, standard);
	reg->mode = st.st_mode;
}
