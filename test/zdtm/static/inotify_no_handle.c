#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "An inotify watch where files have no handles is refused, and goes on";

int main(int argc, char **argv)
{
	int fd, wd;

	test_init(argc, argv);

	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, "/proc/self/comm", IN_CLOSE_WRITE);
	if (fd < 0 || wd < 0)
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (no_event(fd) || inotify_rm_watch(fd, wd) || next_event(fd, wd, IN_IGNORED, "") || no_event(fd))
		return fail("the watch is gone");

	pass();
	return 0;
}
