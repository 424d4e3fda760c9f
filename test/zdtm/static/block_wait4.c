#include <sys/mman.h>
#include <sys/wait.h>

#include "blocked.h"

const char *test_doc = "A task in wait4() gets the status of a child that ends after restore";
const char *test_author = "The criu team";

static volatile pid_t *grandchild;
static int status;

static int set(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return pr_perror("fork");
	*grandchild = pid ?: getpid();
	if (!pid) {
		signal(SIGHUP, SIG_DFL);
		for (;;)
			pause();
	}
	return 0;
}

static long call(void)
{
	return wait4(-1, &status, 0, NULL) == *grandchild ? 0 : -1;
}

static int check(void)
{
	return !WIFSIGNALED(status) || WTERMSIG(status) != SIGHUP;
}

static int wake(pid_t child)
{
	(void)child;
	return kill(*grandchild, SIGHUP);
}

int main(int argc, char **argv)
{
	static const struct blocked_test test = {
		.set = set,
		.call = call,
		.check = check,
		.wake = wake,
	};

	grandchild = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (grandchild == MAP_FAILED)
		return 1;
	return blocked_main(argc, argv, &test);
}
