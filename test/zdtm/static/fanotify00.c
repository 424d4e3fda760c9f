#include "zdtmtst.h"
#include "fanotify.h"

const char *test_doc = "A fanotify group: marks on a file, a directory and a deleted file, ignored events, flags";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static char file_name[4096], quiet_name[4096], moved_name[4096];

static int touch(const char *name)
{
	int fd = open(name, O_WRONLY | O_APPEND);

	return fd < 0 || write(fd, "x", 1) != 1 || close(fd) ? pr_perror("%s", name) : 0;
}

int main(int argc, char **argv)
{
	int fd, file, deleted;
	pid_t pid;

	test_init(argc, argv);
	pid = getpid();

	ssprintf(file_name, "%s/file", dirname);
	ssprintf(quiet_name, "%s/quiet", dirname);
	ssprintf(moved_name, "%s/moved", dirname);
	fd = fanotify_init(FAN_NONBLOCK | FAN_UNLIMITED_QUEUE, O_RDONLY | O_NOATIME);
	if (fd < 0) {
		skip("no fanotify: %m");
		return skipped_test();
	}
	if (mkdir(dirname, 0755))
		return pr_perror("%s", dirname);
	deleted = open(file_name, O_CREAT | O_EXCL | O_RDWR, 0600);
	if (deleted < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_ACCESS, AT_FDCWD, file_name) || unlink(file_name) ||
	    write(deleted, "deleted", 7) != 7)
		return pr_perror("%s", file_name);
	file = open(file_name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (file < 0 || close(open(quiet_name, O_CREAT | O_EXCL | O_WRONLY, 0600)))
		return pr_perror("%s", file_name);
	if (fanotify_mark(fd, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, file_name) ||
	    fanotify_mark(fd, FAN_MARK_ADD, FAN_CLOSE_WRITE | FAN_EVENT_ON_CHILD, AT_FDCWD, dirname) ||
	    fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_CLOSE_WRITE,
			  AT_FDCWD, quiet_name) ||
	    rename(file_name, moved_name))
		return pr_perror("fanotify_mark");

	test_daemon();
	test_waitsig();

	if (no_event(fd, pid))
		return fail("an event out of nowhere");
	if (write(file, "x", 1) != 1 || next_event(fd, FAN_MODIFY, pid))
		return fail("the file");
	if (touch(moved_name) || next_event(fd, FAN_MODIFY | FAN_CLOSE_WRITE, pid))
		return fail("the file and its directory");
	if (touch(quiet_name) || touch(quiet_name) || no_event(fd, pid))
		return fail("events that are to be ignored");
	if (pread(deleted, quiet_name, 1, 0) != 1 || next_event(fd, FAN_ACCESS, pid))
		return fail("the deleted file");
	if (pwrite(deleted, "x", 1, 0) != 1 || no_event(fd, pid))
		return fail("more than the mask has");

	pass();
	return 0;
}
