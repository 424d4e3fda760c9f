#include <fcntl.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "An inotify instance with events that were not read is refused, and keeps them";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char name[4096];
	int fd, wd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(name, "%s/new", dirname))
		return pr_perror("mkdir %s", dirname);
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, dirname, IN_CREATE | IN_DELETE);
	if (fd < 0 || wd < 0 || mkdir(name, 0700))
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (next_event(fd, wd, IN_CREATE | IN_ISDIR, "new") || no_event(fd))
		return fail("the event is gone");
	if (rmdir(name) || next_event(fd, wd, IN_DELETE | IN_ISDIR, "new"))
		return fail("it does not go on watching");

	rmdir(dirname);
	pass();
	return 0;
}
