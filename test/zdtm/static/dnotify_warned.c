#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "zdtmtst.h"

const char *test_doc = "A directory watched with F_NOTIFY: the loss is told of, and signals that have nothing to do "
		       "with it don't come";

char *dirname;
TEST_OPTION(dirname, string, "directory name", 1);

static volatile sig_atomic_t told;

static void count(int signo)
{
	(void)signo;
	told++;
}

int main(int argc, char **argv)
{
	int fd;

	test_init(argc, argv);

	if (mkdir(dirname, 0755) || signal(SIGIO, count) == SIG_ERR)
		return pr_perror("mkdir %s", dirname);
	fd = open(dirname, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return pr_perror("open %s", dirname);
	if (fcntl(fd, F_NOTIFY, DN_CREATE | DN_MULTISHOT) && errno != EINVAL)
		return pr_perror("F_NOTIFY");
	/* Where the kernel has no dnotify. */
	if (fcntl(fd, F_GETOWN) != getpid() && fcntl(fd, F_SETOWN, getpid()))
		return pr_perror("F_SETOWN");

	test_daemon();
	test_waitsig();

	if (told)
		return fail("told %d times of nothing", told);
	if (fcntl(fd, F_GETOWN) != getpid())
		return fail("the signal owner is %d", fcntl(fd, F_GETOWN));

	rmdir(dirname);
	pass();
	return 0;
}
