#include <sys/mount.h>

#include "zdtmtst.h"
#include "fanotify.h"

const char *test_doc = "fanotify marks on a mount and on a whole file system";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

int main(int argc, char **argv)
{
	char inner[4096], elsewhere[4096];
	int mount_fd, fs_fd;
	pid_t pid;

	test_init(argc, argv);
	pid = getpid();

	/* The same file is seen through a mount that is marked and one that is not. */
	ssprintf(inner, "%s/a", dirname);
	ssprintf(elsewhere, "%s/b", dirname);
	if (mkdir(dirname, 0755) || mkdir(inner, 0755) || mkdir(elsewhere, 0755))
		return pr_perror("%s", dirname);
	if (mount("fanotify", inner, "tmpfs", 0, NULL) || mount(inner, elsewhere, NULL, MS_BIND, NULL)) {
		skip("cannot mount: %m");
		return skipped_test();
	}
	mount_fd = fanotify_init(FAN_NONBLOCK, O_RDONLY);
	fs_fd = fanotify_init(FAN_NONBLOCK | FAN_REPORT_TID, O_RDONLY);
	if (mount_fd < 0 || fs_fd < 0) {
		skip("no fanotify: %m");
		return skipped_test();
	}
	if (fanotify_mark(mount_fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, AT_FDCWD, elsewhere) ||
	    fanotify_mark(fs_fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE_WRITE | FAN_OPEN, AT_FDCWD, inner))
		return pr_perror("fanotify_mark");

	test_daemon();
	test_waitsig();

	strcat(inner, "/file");
	strcat(elsewhere, "/file");
	if (close(open(inner, O_CREAT | O_WRONLY, 0600)) || no_event(mount_fd, pid))
		return fail("an event of another mount");
	if (next_event(fs_fd, FAN_OPEN | FAN_CLOSE_WRITE, pid))
		return fail("the file system");
	if (close(open(elsewhere, O_WRONLY)) || next_event(mount_fd, FAN_CLOSE_WRITE, pid) ||
	    next_event(fs_fd, FAN_OPEN | FAN_CLOSE_WRITE, pid))
		return fail("the mount");

	*strrchr(inner, '/') = *strrchr(elsewhere, '/') = '\0';
	if (umount2(elsewhere, MNT_DETACH) || umount2(inner, MNT_DETACH))
		return pr_perror("umount");
	pass();
	return 0;
}
