#include "zdtmtst.h"
#include "fileprop.h"
#include "filelease.h"
#include "taskutil.h"

const char *test_doc =
	"Who is told of a broken lease is who was: nobody, or a child; whose lease it is makes no difference";

char *filename;
TEST_OPTION(filename, string, "file name", 1);

static int nobody, of_child;

static int check(void)
{
	return lease_broken(10) == of_child && lease_broken(1) == -1 ? 0 : pr_err("not told once\n");
}

static int block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, LEASE_SIGNAL);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

int main(int argc, char **argv)
{
	char other[4096];
	pid_t pid;

	test_init(argc, argv);

	snprintf(other, sizeof(other), "%s.child", filename);
	nobody = file_create(filename, O_RDONLY, 0644);
	of_child = file_create(other, O_RDONLY, 0644);
	if (nobody < 0 || of_child < 0 || lease_take(nobody, F_RDLCK) || lease_take(of_child, F_RDLCK))
		return pr_perror("lease");
	pid = child_start(block, check);
	if (pid < 0 || fcntl(nobody, F_SETOWN, 0) || fcntl(of_child, F_SETOWN, pid))
		return pr_perror("F_SETOWN");

	test_daemon();
	test_waitsig();

	if (fcntl(nobody, F_GETOWN) != 0 || fcntl(of_child, F_GETOWN) != pid)
		return fail("signal owners are %d and %d", fcntl(nobody, F_GETOWN), fcntl(of_child, F_GETOWN));
	if (lease_excludes(nobody, O_WRONLY) != 1 || lease_excludes(of_child, O_WRONLY) != 1)
		return fail("a lease is lost");
	if (lease_broken(1) != -1)
		return fail("the wrong one was told");
	if (child_finish(pid))
		return fail("the child was not told");
	unlink(other);
	pass();
	return 0;
}
