#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A task under a debugger belongs to him: refused, and both go on";
const char *test_author = "The criu team";

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	test_init(argc, argv);
	pid = child_start(NULL, NULL);
	if (pid < 0 || ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return pr_perror("PTRACE_SEIZE");

	test_daemon();
	test_waitsig();

	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return fail("the child is no longer traced");
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		return fail("PTRACE_DETACH");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
