#include <fcntl.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "inotify: where a watched inode is gone at restore, what has its name is watched";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char file[4096];

int main(int argc, char **argv)
{
	int fd, wd, out;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(file, "%s/file", dirname))
		return pr_perror("mkdir %s", dirname);
	out = open(file, O_CREAT | O_EXCL | O_WRONLY, 0600);
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, file, IN_MODIFY);
	if (out < 0 || close(out) || fd < 0 || wd < 0)
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	out = open(file, O_WRONLY);
	if (no_event(fd) || write(out, "x", 1) != 1 || next_event(fd, wd, IN_MODIFY, "") || no_event(fd))
		return fail("the file is not watched");

	unlink(file);
	rmdir(dirname);
	pass();
	return 0;
}
