#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "inotify.h"

const char *test_doc = "inotify: watches on what nobody has open, was renamed, or is deleted and open";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char top[4096], sub[4096], in_sub[4096], was[4096], is[4096], held[4096];

static int make(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600);

	return fd < 0 ? pr_perror("create %s", path) : fd;
}

int main(int argc, char **argv)
{
	int fd, held_fd, wd[5];

	test_init(argc, argv);

	if (ssprintf(top, "%s", dirname) || ssprintf(sub, "%s/sub", dirname) ||
	    ssprintf(in_sub, "%s/sub/file", dirname) || ssprintf(was, "%s/was", dirname) ||
	    ssprintf(is, "%s/sub/is", dirname) || ssprintf(held, "%s/held", dirname))
		return 1;
	if (mkdir(top, 0755) || mkdir(sub, 0755) || close(make(in_sub)) || close(make(was)))
		return pr_perror("files in %s", dirname);
	held_fd = make(held);
	fd = inotify_init1(IN_NONBLOCK);
	wd[0] = inotify_add_watch(fd, top, IN_CREATE);
	wd[1] = inotify_add_watch(fd, sub, IN_DELETE);
	wd[2] = inotify_add_watch(fd, in_sub, IN_MODIFY);
	wd[3] = inotify_add_watch(fd, was, IN_MODIFY);
	wd[4] = inotify_add_watch(fd, held, IN_MODIFY);
	for (int i = 0; i < 5; i++)
		if (wd[i] < 0)
			return pr_perror("watch %d", i);
	if (rename(was, is) || unlink(held))
		return pr_perror("rename and unlink");

	test_daemon();
	test_waitsig();

	if (no_event(fd))
		return fail("an event that was none");
	if (write(held_fd, "x", 1) != 1 || next_event(fd, wd[4], IN_MODIFY, ""))
		return fail("the deleted file is not watched");
	if (modify(is) || next_event(fd, wd[3], IN_MODIFY, ""))
		return fail("the renamed file is not watched");
	if (modify(in_sub) || next_event(fd, wd[2], IN_MODIFY, ""))
		return fail("the file is not watched");
	if (unlink(is) || next_event(fd, wd[3], IN_IGNORED, "") || next_event(fd, wd[1], IN_DELETE, "is"))
		return fail("the directory is not watched");
	if (close(make(was)) || next_event(fd, wd[0], IN_CREATE, "was") || no_event(fd))
		return fail("the directory above is not watched");

	unlink(was);
	unlink(in_sub);
	rmdir(sub);
	rmdir(top);
	pass();
	return 0;
}
