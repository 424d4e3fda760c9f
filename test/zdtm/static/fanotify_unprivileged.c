#include <sys/wait.h>

#include "zdtmtst.h"
#include "fanotify.h"

const char *test_doc = "A fanotify group made without privilege does not learn who caused an event";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char name[4096];
	int fd;

	test_init(argc, argv);

	ssprintf(name, "%s/file", dirname);
	fd = fanotify_init(FAN_NONBLOCK | FAN_REPORT_FID, O_RDONLY);
	if (fd < 0) {
		skip("no fanotify for ordinary users: %m");
		return skipped_test();
	}
	if (mkdir(dirname, 0755) || fanotify_mark(fd, FAN_MARK_ADD, FAN_CREATE, AT_FDCWD, dirname))
		return pr_perror("fanotify_mark");

	test_daemon();
	test_waitsig();

	/* Numbers of others are hidden. */
	if (!fork())
		_exit(close(open(name, O_CREAT | O_WRONLY, 0600)) != 0);
	if (wait(NULL) < 0 || next_event(fd, FAN_CREATE, 0))
		return fail("the event");

	pass();
	return 0;
}
