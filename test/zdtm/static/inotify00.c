#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "inotify.h"
#include "kids.h"

const char *test_doc = "inotify: watches keep number, inode and mask; an instance shared and polled";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char file[4096], once[4096], moved[4096], sub[4096], link_name[4096];
static int fd, removed[2], dir_wd, file_wd, once_wd, sub_wd, link_wd, shm_wd;

static int make(const char *path)
{
	int made = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);

	return made < 0 || close(made) ? pr_perror("create %s", path) : 0;
}

static int names(void)
{
	return ssprintf(file, "%s/file", dirname) || ssprintf(once, "%s/once", dirname) ||
	       ssprintf(moved, "%s/moved", dirname) || ssprintf(sub, "%s/sub", dirname) ||
	       ssprintf(link_name, "%s/link", dirname);
}

static int set_up(void)
{
	if (mkdir(dirname, 0755) || mkdir(sub, 0755) || make(file) || make(once) || symlink("file", link_name))
		return pr_perror("mkdir %s", dirname);
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	/* Numbers are given one after the other; some are free again. */
	removed[0] = inotify_add_watch(fd, "/", IN_CREATE);
	dir_wd = inotify_add_watch(fd, dirname, IN_CREATE | IN_MOVED_TO | IN_EXCL_UNLINK | IN_ONLYDIR);
	removed[1] = inotify_add_watch(fd, "/proc", IN_CREATE);
	file_wd = inotify_add_watch(fd, file, IN_MODIFY | IN_CLOSE_WRITE | IN_MOVE_SELF);
	link_wd = inotify_add_watch(fd, link_name, IN_DELETE_SELF | IN_DONT_FOLLOW);
	once_wd = inotify_add_watch(fd, once, IN_OPEN | IN_ONESHOT);
	sub_wd = inotify_add_watch(fd, sub, IN_DONT_FOLLOW);
	shm_wd = inotify_add_watch(fd, "/dev/shm", IN_ATTRIB);
	if (fd < 0 || dir_wd < 0 || file_wd < 0 || once_wd < 0 || sub_wd < 0 || link_wd < 0 || shm_wd < 0 ||
	    inotify_rm_watch(fd, removed[0]) || inotify_rm_watch(fd, removed[1]))
		return pr_perror("inotify");
	/* What is watched is the inode, not the name. */
	if (rename(file, moved))
		return pr_perror("rename");
	return next_event(fd, removed[0], IN_IGNORED, "") || next_event(fd, removed[1], IN_IGNORED, "") ||
	       next_event(fd, dir_wd, IN_MOVED_TO, "moved") || next_event(fd, file_wd, IN_MOVE_SELF, "") ||
	       no_event(fd);
}

static int check(void)
{
	int out = open(moved, O_WRONLY | O_APPEND);

	if (make(file) || write(out, "x", 1) != 1 || close(out))
		return pr_perror("write %s", moved);
	if (next_event(fd, dir_wd, IN_CREATE, "file") || next_event(fd, file_wd, IN_MODIFY, "") ||
	    next_event(fd, file_wd, IN_CLOSE_WRITE, "") || no_event(fd))
		return fail("events of a directory and a file");
	for (int i = 0; i < 2; i++)
		if (close(open(once, O_RDONLY)))
			return pr_perror("open %s", once);
	if (next_event(fd, once_wd, IN_OPEN, "") || next_event(fd, once_wd, IN_IGNORED, "") || no_event(fd))
		return fail("a watch for one event");
	if (unlink(link_name) || next_event(fd, link_wd, IN_DELETE_SELF, "") ||
	    next_event(fd, link_wd, IN_IGNORED, "") || no_event(fd))
		return fail("the watch of a symbolic link");
	if (rmdir(sub) || next_event(fd, sub_wd, IN_IGNORED, "") || no_event(fd))
		return fail("a watch for nothing");
	if (inotify_rm_watch(fd, file_wd) || next_event(fd, file_wd, IN_IGNORED, "") ||
	    inotify_add_watch(fd, dirname, IN_CREATE) != dir_wd || inotify_rm_watch(fd, shm_wd) ||
	    next_event(fd, shm_wd, IN_IGNORED, "") || inotify_rm_watch(fd, removed[1]) != -1 || errno != EINVAL)
		return fail("a watch is not known by its number");
	if (inotify_add_watch(fd, "/", IN_CREATE) <= shm_wd)
		return fail("a number is given again");
	return 0;
}

static int child_check(void *arg)
{
	(void)arg;
	return inotify_rm_watch(fd, dir_wd) || next_event(fd, dir_wd, IN_IGNORED, "");
}

int main(int argc, char **argv)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct fd_state state;
	pid_t child;
	int efd;

	test_init(argc, argv);

	efd = epoll_create1(0);
	if (names() || set_up() || fd_state_get(fd, &state) || epoll_ctl(efd, EPOLL_CTL_ADD, fd, &event))
		return 1;
	child = kid_start(NULL, child_check, NULL);
	if (child < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (fd_state_changed(fd, &state, FD_NEW_INODE) || no_event(fd) || epoll_wait(efd, &event, 1, 0) != 0)
		return fail("the instance changed");
	if (check())
		return 1;
	if (kid_finish(child))
		return fail("the child has another instance");
	if (mkdir(sub, 0755) || no_event(fd))
		return fail("a watch the child has removed");
	if (inotify_add_watch(fd, dirname, IN_DELETE) < 0 || rmdir(sub) || epoll_wait(efd, &event, 1, 10000) != 1)
		return fail("epoll does not tell");

	unlink(file);
	unlink(once);
	unlink(moved);
	rmdir(dirname);
	pass();
	return 0;
}
