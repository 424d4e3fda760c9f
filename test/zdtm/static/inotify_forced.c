#include <stdio.h>

#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "inotify with --force-irmap: what has the name is watched, even if the old inode is still there";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char file[4096], old[4096];

int main(int argc, char **argv)
{
	int fd, wd;

	test_init(argc, argv);

	if (ssprintf(file, "%s/file", dirname) || ssprintf(old, "%s/old", dirname))
		return 1;
	fd = watch_new_file(dirname, file, &wd);
	if (fd < 0)
		return pr_perror("watch %s", file);

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
