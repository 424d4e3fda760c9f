#include "zdtmtst.h"
#include "fanotify.h"

const char *test_doc = "A fanotify group with an event that was not read is refused, and keeps it";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	int fd, file;

	test_init(argc, argv);

	file = open(filename, O_CREAT | O_EXCL | O_WRONLY, 0600);
	fd = fanotify_init(FAN_NONBLOCK, O_RDONLY);
	if (fd < 0) {
		skip("no fanotify: %m");
		return skipped_test();
	}
	if (file < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, filename) || write(file, "x", 1) != 1)
		return pr_perror("%s", filename);

	test_daemon();
	test_waitsig();

	if (next_event(fd, FAN_MODIFY, getpid()))
		return fail("the event");

	pass();
	return 0;
}
