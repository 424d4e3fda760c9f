#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Strict seccomp: the child may go on reading and writing, and dies of anything else";
const char *test_author = "The criu team";

static void __attribute__((noreturn)) child(int in, int out)
{
	char c;

	zdtm_seccomp = 1;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) || write(out, "r", 1) != 1)
		syscall(SYS_exit, 1);
	if (read(in, &c, 1) != 1 || write(out, &c, 1) != 1)
		syscall(SYS_exit, 2);
	syscall(SYS_getpid);
	for (;;)
		syscall(SYS_exit, 3);
}

int main(int argc, char **argv)
{
	int in[2], out[2], status;
	char buf[16], c;
	pid_t pid;

	test_init(argc, argv);
	if (pipe(in) || pipe(out))
		return pr_perror("pipe");
	pid = test_fork();
	if (pid < 0)
		return pr_perror("fork");
	if (!pid)
		child(in[0], out[1]);
	if (read(out[0], &c, 1) != 1 || c != 'r')
		return pr_perror("the child did not start");

	test_daemon();
	test_waitsig();

	if (ssprintf(buf, "%d", pid) || status_field(buf, "Seccomp", buf, sizeof(buf)) || strcmp(buf, "1"))
		return fail("seccomp mode of the child is %s", buf);
	if (write(in[1], "x", 1) != 1 || read(out[0], &c, 1) != 1 || c != 'x')
		return fail("the child does not answer");
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return fail("the child ended with wait status %#x instead of being killed", status);
	pass();
	return 0;
}
