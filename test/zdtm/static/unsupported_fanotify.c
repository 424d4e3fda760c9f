#include <fcntl.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "taskutil.h"

const char *test_doc = "A fanotify group is refused, and goes on watching";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	struct fanotify_event_metadata event;
	char name[4096];
	int fd, file;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(name, "%s/file", dirname))
		return pr_perror("mkdir %s", dirname);
	file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	fd = fanotify_init(FAN_NONBLOCK, O_RDONLY);
	if (fd < 0) {
		skip("no fanotify: %m");
		return skipped_test();
	}
	if (file < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, name))
		return pr_perror("fanotify_mark");

	test_daemon();
	test_waitsig();

	if (read(fd, &event, sizeof(event)) != -1 || errno != EAGAIN)
		return fail("an event out of nowhere");
	if (write(file, "x", 1) != 1)
		return pr_perror("write %s", name);
	if (read(fd, &event, sizeof(event)) != sizeof(event) || event.mask != FAN_MODIFY || event.pid != getpid())
		return fail("the event does not arrive");

	unlink(name);
	rmdir(dirname);
	pass();
	return 0;
}
