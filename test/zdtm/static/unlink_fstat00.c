#include <fcntl.h>

#include "zdtmtst.h"
#include "memprop.h"
#include "fileprop.h"

const char *test_doc =
	"Deleted files that are only open: content across chunk sizes, flags, position, size, one inode for all";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static struct {
	size_t size;
	off_t pos;
	int flags;
	int fd;
	struct fd_state state;
} ghosts[] = {
	{ .size = 0, .pos = 0, .flags = O_RDWR },
	{ .size = 1, .pos = 1, .flags = O_RDWR },
	{ .size = 4096, .pos = 4096, .flags = O_RDONLY },
	{ .size = 12 * 1024, .pos = 5, .flags = O_WRONLY },
	{ .size = 12 * 1024 + 1, .pos = 9000, .flags = O_RDWR | O_APPEND },
	{ .size = 300 * 1024 + 77, .pos = 299 * 1024, .flags = O_RDWR | O_CLOEXEC },
	{ .size = 20000, .pos = 30000, .flags = O_RDONLY | O_NONBLOCK },
};
#define NR ARRAY_SIZE(ghosts)

static char data[301 * 1024], back[301 * 1024];

/* Content of a descriptor that may not be readable itself. */
static ssize_t read_all(int fd)
{
	char link[64];
	ssize_t len;
	int again;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = open(link, O_RDONLY);
	if (again < 0)
		return -1;
	len = pread(again, back, sizeof(back), 0);
	close(again);
	return len;
}

int main(int argc, char **argv)
{
	char name[4096], ro_name[4096];
	struct stat st, st_again;
	int again, rw, ro;
	unsigned int i;

	test_init(argc, argv);

	if (mkdir(dirname, 0755))
		return pr_perror("mkdir %s", dirname);
	for (i = 0; i < NR; i++) {
		int fd;

		snprintf(name, sizeof(name), "%s/ghost %u", dirname, i);
		pattern_fill(data, ghosts[i].size, i);
		fd = file_create(name, O_WRONLY, 0640);
		if (fd < 0 || write(fd, data, ghosts[i].size) != (ssize_t)ghosts[i].size || close(fd))
			return pr_perror("write %s", name);
		ghosts[i].fd = open(name, ghosts[i].flags);
		if (ghosts[i].fd < 0 || lseek(ghosts[i].fd, ghosts[i].pos, SEEK_SET) != ghosts[i].pos || unlink(name) ||
		    fd_state_get(ghosts[i].fd, &ghosts[i].state))
			return pr_perror("open %s", name);
	}
	/* One inode, opened twice. */
	snprintf(ro_name, sizeof(ro_name), "%s/twice", dirname);
	rw = file_create(ro_name, O_RDWR, 0600);
	ro = open(ro_name, O_RDONLY);
	if (rw < 0 || ro < 0 || write(rw, "twice", 5) != 5 || unlink(ro_name))
		return pr_perror("open %s", ro_name);

	test_daemon();
	test_waitsig();

	for (i = 0; i < NR; i++) {
		if (fd_state_changed(ghosts[i].fd, &ghosts[i].state, FD_NEW_INODE))
			return fail("file %u changed", i);
		pattern_fill(data, ghosts[i].size, i);
		if (read_all(ghosts[i].fd) != (ssize_t)ghosts[i].size || memcmp(data, back, ghosts[i].size))
			return fail("content of file %u changed", i);
		if ((write(ghosts[i].fd, "w", 1) == 1) != ((ghosts[i].flags & O_ACCMODE) != O_RDONLY))
			return fail("file %u: wrong result of a write", i);
		if ((ghosts[i].flags & O_APPEND) &&
		    (fstat(ghosts[i].fd, &st) || st.st_size != (off_t)ghosts[i].size + 1))
			return fail("file %u does not append", i);
	}
	if (fstat(rw, &st) || fstat(ro, &st_again) || st.st_ino != st_again.st_ino || st.st_dev != st_again.st_dev)
		return fail("one deleted file became two");
	again = pwrite(rw, "again", 5, 0);
	if (again != 5 || read(ro, back, 10) != 5 || memcmp(back, "again", 5))
		return fail("a write is not seen through the other descriptor");
	if (dir_entries(dirname, 1) || rmdir(dirname))
		return fail("something is left behind");

	pass();
	return 0;
}
