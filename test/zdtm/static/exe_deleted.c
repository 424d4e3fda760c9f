#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A program whose file is deleted: its link, and that the link runs it again";
const char *test_author = "The criu team";

char *filename;
TEST_OPTION(filename, string, "name of the program", 1);

static int copy_self(int to)
{
	int from = open("/proc/self/exe", O_RDONLY);
	char buf[65536];
	ssize_t n;

	if (from < 0)
		return pr_perror("exe");
	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			return pr_perror("write");
	close(from);
	return n;
}

static int run_again(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execl("/proc/self/exe", "again", "--again", NULL);
		_exit(100);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 77;
}

int main(int argc, char **argv)
{
	char want[PATH_MAX], got[PATH_MAX] = "";
	struct stat before, now;

	if (argc > 1 && !strcmp(argv[1], "--again"))
		return 77;
	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], "--filename=", 11))
			filename = argv[i] + 11;
	if (filename && !getenv("ZDTM_EXE_COPY")) {
		int fd = open(filename, O_WRONLY | O_CREAT | O_EXCL, 0755);

		if (fd < 0 || copy_self(fd) || close(fd))
			return 1;
		setenv("ZDTM_EXE_COPY", "1", 1);
		execv(filename, argv);
		return 1;
	}
	test_init(argc, argv);
	if (unlink(filename) || readlink("/proc/self/exe", want, sizeof(want) - 1) < 0 ||
	    stat("/proc/self/exe", &before))
		return pr_perror("exe");
	want[sizeof(want) - 1] = 0;

	test_daemon();
	test_waitsig();

	if (readlink("/proc/self/exe", got, sizeof(got) - 1) < 0 || stat("/proc/self/exe", &now))
		return pr_perror("exe");
	if (strncmp(got, want, strlen(got)) || !strstr(got, " (deleted)"))
		return fail("the link is %s, not %s", got, want);
	if (now.st_size != before.st_size || now.st_mode != before.st_mode || now.st_nlink)
		return fail("another file: size %ld mode %o links %ld", (long)now.st_size, now.st_mode,
			    (long)now.st_nlink);
	if (!run_again())
		return fail("it can't be run again");
	pass();
	return 0;
}
