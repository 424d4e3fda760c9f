#include "zdtmtst.h"
#include "inotify.h"
#include "semthread.h"

const char *test_doc = "Reasons that are seen from outside and reasons that only the task can tell are given at once";

static struct sem_thread holder;

int main(int argc, char **argv)
{
	int fd, wd;

	test_init(argc, argv);

	if (sem_thread_start(&holder))
		return 1;
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, "/proc/self/comm", IN_MODIFY);
	if (fd < 0 || wd < 0 || inotify_rm_watch(fd, wd))
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (next_event(fd, wd, IN_IGNORED, "") || no_event(fd) || sem_thread_finish(&holder))
		return fail("changed");

	pass();
	return 0;
}
