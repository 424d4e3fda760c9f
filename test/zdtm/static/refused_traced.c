#include <fcntl.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "fileprop.h"
#include "inotify.h"
#include "kids.h"

const char *test_doc =
	"A tree with a task that can't be stopped: what else is in the way, there and elsewhere, is told with it";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int fd, wd;

static int prepare(void *)
{
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, "/proc/self/comm", IN_MODIFY);
	return fd < 0 || wd < 0 || inotify_rm_watch(fd, wd) ? pr_perror("inotify") : 0;
}

static int check(void *)
{
	return next_event(fd, wd, IN_IGNORED, "") || no_event(fd);
}

int main(int argc, char **argv)
{
	int locked, status;
	pid_t child;

	test_init(argc, argv);

	child = kid_start(prepare, check, NULL);
	if (child < 0 || ptrace(PTRACE_SEIZE, child, NULL, NULL))
		return pr_perror("PTRACE_SEIZE");
	locked = file_create(filename, O_RDWR, 0644);
	if (locked < 0 || flock(locked, LOCK_EX))
		return pr_perror("flock");

	test_daemon();
	test_waitsig();

	if (ptrace(PTRACE_INTERRUPT, child, NULL, NULL) || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return fail("the child is no longer traced");
	if (ptrace(PTRACE_DETACH, child, NULL, NULL) || kid_finish(child))
		return fail("the child");
	if (flock(open(filename, O_RDWR), LOCK_EX | LOCK_NB) != -1 || errno != EWOULDBLOCK)
		return fail("the lock");
	pass();
	return 0;
}
