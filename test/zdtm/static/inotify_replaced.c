#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "inotify: where a watched inode is gone at restore, what has its name is watched";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char file[4096];

int main(int argc, char **argv)
{
	int fd, wd;

	test_init(argc, argv);

	if (ssprintf(file, "%s/file", dirname))
		return 1;
	fd = watch_new_file(dirname, file, &wd);
	if (fd < 0)
		return pr_perror("watch %s", file);

	test_daemon();
	test_waitsig();

	if (no_event(fd) || modify(file) || next_event(fd, wd, IN_MODIFY, "") || no_event(fd))
		return fail("the file is not watched");

	unlink(file);
	rmdir(dirname);
	pass();
	return 0;
}
