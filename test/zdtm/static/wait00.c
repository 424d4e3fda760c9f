#include <signal.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc =
	"Children are waited for after restore: one that exits then, one that is killed, and nobody else";
const char *test_author = "The criu team";

static int exits_with_3(void)
{
	_exit(3);
}

int main(int argc, char **argv)
{
	pid_t leaver, victim;
	int status;

	test_init(argc, argv);
	leaver = child_start(NULL, exits_with_3);
	victim = child_start(NULL, NULL);
	if (leaver < 0 || victim < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (waitpid(-1, &status, WNOHANG) != 0)
		return fail("a child has ended");
	if (kill(leaver, SIGTERM) || waitpid(leaver, &status, 0) != leaver || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != 3)
		return fail("the one that exits: %#x", status);
	if (kill(victim, SIGKILL) || waitpid(-1, &status, 0) != victim || !WIFSIGNALED(status) ||
	    WTERMSIG(status) != SIGKILL)
		return fail("the one that is killed: %#x", status);
	if (waitpid(-1, &status, 0) != -1 || errno != ECHILD)
		return fail("there is one more");
	pass();
	return 0;
}
