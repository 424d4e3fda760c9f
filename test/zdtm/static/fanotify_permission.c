#include <sys/wait.h>

#include "zdtmtst.h"
#include "fanotify.h"

const char *test_doc = "A fanotify group that is asked for permission is refused, and goes on being asked";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

int main(int argc, char **argv)
{
	struct fanotify_event_metadata event;
	struct fanotify_response answer;
	int fd, file;
	pid_t child;

	test_init(argc, argv);

	file = open(filename, O_CREAT | O_EXCL | O_WRONLY, 0600);
	fd = fanotify_init(FAN_CLASS_CONTENT, O_RDONLY);
	if (fd < 0) {
		skip("no fanotify: %m");
		return skipped_test();
	}
	if (file < 0 || fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, filename))
		return pr_perror("%s", filename);

	test_daemon();
	test_waitsig();

	child = fork();
	if (!child)
		_exit(open(filename, O_RDONLY) != -1 || errno != EPERM);
	if (read(fd, &event, sizeof(event)) != sizeof(event) || event.mask != FAN_OPEN_PERM || event.pid != child)
		return fail("the question");
	answer = (struct fanotify_response){ .fd = event.fd, .response = FAN_DENY };
	if (write(fd, &answer, sizeof(answer)) != sizeof(answer) || waitpid(child, &file, 0) != child || file)
		return fail("the answer");

	pass();
	return 0;
}
