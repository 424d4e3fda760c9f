#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "zdtmtst.h"

const char *test_doc = "Devices with a state in their driver are refused, each by its name (see the hook)";

#define FIRST_FD 100

static const struct {
	const char *path;
	int flags;
} devices[] = {
	{ "/dev/kmsg", O_RDONLY | O_NONBLOCK },
	{ "/dev/net/tun", O_RDWR },
	{ "/dev/fuse", O_RDWR },
	{ "/dev/loop0", O_RDONLY | O_NONBLOCK },
	{ "/dev/rtc0", O_RDONLY },
	{ "/dev/loop-control", O_RDONLY },
	{ "/dev/dri/card0", O_RDWR },
	{ "/dev/vhost-net", O_RDWR },
	{ "/dev/uinput", O_WRONLY | O_NONBLOCK },
};
#define NR ARRAY_SIZE(devices)

int main(int argc, char **argv)
{
	struct stat st;

	test_init(argc, argv);

	for (unsigned int i = 0; i < NR; i++) {
		int fd = open(devices[i].path, devices[i].flags);

		if (fd < 0) {
			test_msg("there is no %s here: %m\n", devices[i].path);
			continue;
		}
		if (dup2(fd, FIRST_FD + (int)i) < 0 || close(fd))
			return pr_perror("dup2");
	}

	test_daemon();
	test_waitsig();

	for (unsigned int i = 0; i < NR; i++)
		if (!fstat(FIRST_FD + (int)i, &st) && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
			return fail("%s is no device any more", devices[i].path);
	pass();
	return 0;
}
