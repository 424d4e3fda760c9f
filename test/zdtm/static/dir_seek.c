#include <fcntl.h>
#include <sys/syscall.h>

#include "zdtmtst.h"
#include "fileprop.h"

const char *test_doc = "A directory that is half read: reading goes on where it was, each name exactly once";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

#define FILES 300

struct raw_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static int seen[FILES];

/* One small helping of entries: their number, 0 at the end, -1 on error. */
static int helping(int fd)
{
	char buf[512];
	long len, at;
	int n = 0;

	len = syscall(SYS_getdents64, fd, buf, sizeof(buf));
	if (len < 0) {
		pr_perror("getdents");
		return -1;
	}
	for (at = 0; at < len; n++) {
		struct raw_dirent *entry = (struct raw_dirent *)(buf + at);
		int k;

		if (sscanf(entry->name, "file-%d", &k) == 1 && k >= 0 && k < FILES)
			seen[k]++;
		at += entry->len;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct fd_state state;
	char name[4096];
	int fd, i, n;

	test_init(argc, argv);

	if (mkdir(dirname, 0755))
		return pr_perror("mkdir %s", dirname);
	for (i = 0; i < FILES; i++) {
		if (ssprintf(name, "%s/file-%d", dirname, i))
			return 1;
		fd = file_create(name, O_WRONLY, 0600);
		if (fd < 0 || close(fd))
			return 1;
	}
	fd = open(dirname, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return pr_perror("open %s", dirname);
	for (i = 0; i < 8; i++)
		if (helping(fd) <= 0)
			return pr_err("cannot read half of %s\n", dirname);
	if (fd_state_get(fd, &state) || state.pos <= 0)
		return pr_err("no position\n");

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_SAME_INODE))
		return fail("descriptor changed");
	while ((n = helping(fd)) > 0)
		;
	if (n < 0)
		return fail("read");
	for (i = 0; i < FILES; i++)
		if (seen[i] != 1)
			return fail("file %d was read %d times", i, seen[i]);

	pass();
	return 0;
}
