#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A child with another root directory and a working directory below it";
const char *test_author = "The criu team";

static char *dirname;
TEST_OPTION(dirname, string, "directory to be made", 1);

static int set(void)
{
	if (chroot(dirname) || chdir("/inner"))
		return pr_perror("chroot %s", dirname);
	return 0;
}

static int check(void)
{
	char now[PATH_MAX];

	if (!getcwd(now, sizeof(now)) || strcmp(now, "/inner"))
		return fail("the directory is %s", now);
	if (access("/marker", F_OK) || access("../marker", F_OK) || access("/../../marker", F_OK))
		return fail("the root is another directory");
	return 0;
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	pid_t pid;
	int fd;

	test_init(argc, argv);
	if (ssprintf(path, "%s/inner", dirname) || mkdir(dirname, 0755) || mkdir(path, 0755))
		return pr_perror("mkdir %s", path);
	if (ssprintf(path, "%s/marker", dirname))
		return 1;
	fd = open(path, O_CREAT | O_EXCL, 0644);
	if (fd < 0)
		return pr_perror("open %s", path);
	close(fd);
	pid = child_start(set, check);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
