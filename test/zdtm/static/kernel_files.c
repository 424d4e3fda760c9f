#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Files and directories of /proc, /proc/sys and /sys that belong to the whole system";

static struct {
	const char *path;
	int flags;
	off_t pos;
	int fd;
	struct fd_state state;
	char next[64];
} files[] = {
	{ .path = "/proc/uptime", .flags = O_RDONLY, .pos = 0 },
	{ .path = "/proc/version", .flags = O_RDONLY | O_NONBLOCK, .pos = 6 },
	{ .path = "/proc/sys/kernel/ostype", .flags = O_RDONLY, .pos = 2 },
	{ .path = "/proc/sys/kernel", .flags = O_RDONLY | O_DIRECTORY, .pos = 0 },
	{ .path = "/proc/filesystems", .flags = O_RDONLY, .pos = 7 },
	{ .path = "/sys/kernel/fscaps", .flags = O_RDONLY, .pos = 1 },
	{ .path = "/sys/kernel", .flags = O_PATH, .pos = 0 },
	{ .path = "/sys/devices", .flags = O_RDONLY | O_DIRECTORY, .pos = 0 },
};
#define NR ARRAY_SIZE(files)

static bool is_stable(unsigned int i)
{
	return files[i].pos > 0;
}

int main(int argc, char **argv)
{
	char next[64];

	test_init(argc, argv);

	for (unsigned int i = 0; i < NR; i++) {
		files[i].fd = open(files[i].path, files[i].flags);
		if (files[i].fd < 0 && errno == ENOENT) {
			test_msg("there is no %s here\n", files[i].path);
			continue;
		}
		if (files[i].fd < 0)
			return pr_perror("%s", files[i].path);
		if (is_stable(i) && (pread(files[i].fd, files[i].next, 63, files[i].pos) <= 0 ||
				     lseek(files[i].fd, files[i].pos, SEEK_SET) != files[i].pos))
			return pr_perror("read %s", files[i].path);
		if (fd_state_get(files[i].fd, &files[i].state))
			return 1;
	}

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < NR; i++) {
		if (files[i].fd < 0)
			continue;
		if (fd_state_changed(files[i].fd, &files[i].state, FD_SAME_INODE))
			return fail("%s changed", files[i].path);
		memset(next, 0, sizeof(next));
		if (is_stable(i) && (read(files[i].fd, next, 63) <= 0 || strcmp(next, files[i].next)))
			return fail("%s goes on with '%s' instead of '%s'", files[i].path, next, files[i].next);
	}
	if (read(files[0].fd, next, sizeof(next)) <= 0 || atof(next) <= 0)
		return fail("uptime is not read");

	pass();
	return 0;
}
