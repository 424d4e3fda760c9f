#include <limits.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "zdtmtst.h"

const char *test_doc = "An inotify descriptor is refused, and goes on watching";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char buf[sizeof(struct inotify_event) + NAME_MAX + 1] __attribute__((aligned(8)));
	struct inotify_event *event = (struct inotify_event *)buf;
	char name[4096];
	int fd, wd, file;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || ssprintf(name, "%s/new", dirname))
		return pr_perror("mkdir %s", dirname);
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, dirname, IN_CREATE);
	if (fd < 0 || wd < 0)
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (read(fd, buf, sizeof(buf)) != -1 || errno != EAGAIN)
		return fail("an event out of nowhere");
	file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (file < 0 || close(file))
		return fail("create %s", name);
	if (read(fd, buf, sizeof(buf)) <= 0 || event->wd != wd || event->mask != IN_CREATE ||
	    strcmp(event->name, "new"))
		return fail("the event does not arrive");

	pass();
	return 0;
}
