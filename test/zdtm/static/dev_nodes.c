#include <fcntl.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "Open /dev/null, zero, full, urandom and random: same devices that behave as such";

static struct {
	const char *path;
	int flags;
	int fd;
	struct fd_state state;
} devs[] = {
	{ .path = "/dev/null", .flags = O_RDWR, .fd = -1 },
	{ .path = "/dev/null", .flags = O_WRONLY | O_APPEND, .fd = -1 },
	{ .path = "/dev/zero", .flags = O_RDWR, .fd = -1 },
	{ .path = "/dev/zero", .flags = O_RDONLY, .fd = -1 },
	{ .path = "/dev/full", .flags = O_RDWR, .fd = -1 },
	{ .path = "/dev/urandom", .flags = O_RDONLY, .fd = -1 },
	{ .path = "/dev/random", .flags = O_RDONLY, .fd = -1 },
};
#define NR ARRAY_SIZE(devs)

int main(int argc, char **argv)
{
	char buf[64], zeroes[64] = "";
	unsigned int i, have = 0;

	test_init(argc, argv);

	for (i = 0; i < NR; i++) {
		/* A container need not have all of them. */
		if (access(devs[i].path, F_OK))
			continue;
		devs[i].fd = open(devs[i].path, devs[i].flags);
		if (devs[i].fd < 0 || fd_state_get(devs[i].fd, &devs[i].state))
			return pr_perror("open %s", devs[i].path);
		have++;
	}
	if (!have)
		return pr_err("no device at all\n");

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++) {
		int fd = devs[i].fd, writable = (devs[i].flags & O_ACCMODE) != O_RDONLY;
		int readable = (devs[i].flags & O_ACCMODE) != O_WRONLY;
		ssize_t len;

		if (fd < 0)
			continue;
		if (fd_state_changed(fd, &devs[i].state, FD_SAME_INODE))
			return fail("%s changed", devs[i].path);
		memset(buf, 'x', sizeof(buf));
		len = read(fd, buf, sizeof(buf));
		if (!readable ? len != -1 : !strcmp(devs[i].path, "/dev/null") ? len != 0 : len != sizeof(buf))
			return fail("read of %s: %zd", devs[i].path, len);
		if (len > 0 && (memcmp(buf, zeroes, sizeof(buf)) == 0) == (strstr(devs[i].path, "random") != NULL))
			return fail("wrong content of %s", devs[i].path);
		if (!writable)
			continue;
		len = write(fd, buf, sizeof(buf));
		if (!strcmp(devs[i].path, "/dev/full") ? len != -1 || errno != ENOSPC : len != sizeof(buf))
			return fail("write to %s: %zd", devs[i].path, len);
	}

	pass();
	return 0;
}
