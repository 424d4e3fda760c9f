#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "inotify with --force-irmap: what has the name is watched, even if the old inode is still there";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char file[4096], old[4096];

static int modify(const char *path)
{
	int fd = open(path, O_WRONLY);

	return fd < 0 || write(fd, "x", 1) != 1 || close(fd);
}

int main(int argc, char **argv)
{
	int fd, wd, out;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(file, "%s/file", dirname) || ssprintf(old, "%s/old", dirname))
		return pr_perror("mkdir %s", dirname);
	out = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, file, IN_MODIFY);
	if (out < 0 || close(out) || fd < 0 || wd < 0)
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (modify(old) || no_event(fd))
		return fail("the old inode is watched");
	if (modify(file) || next_event(fd, wd, IN_MODIFY, "") || no_event(fd))
		return fail("the name is not watched");

	unlink(file);
	unlink(old);
	rmdir(dirname);
	pass();
	return 0;
}
