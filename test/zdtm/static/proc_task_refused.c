#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "zdtmtst.h"

const char *test_doc = "Files of /proc that could not be opened again are refused, each with its reason (see the hook)";

#define FIRST_FD 100

static int at(int number, const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || dup2(fd, number) < 0 || close(fd))
		return pr_perror("%s", path);
	return 0;
}

static int of_ended(int number)
{
	char path[64];
	pid_t child = fork();

	if (!child)
		pause();
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	if (child < 0 || at(number, path))
		return -1;
	kill(child, SIGKILL);
	return waitpid(child, NULL, 0) != child;
}

static void *wait_forever(void *arg)
{
	*(volatile pid_t *)arg = (pid_t)syscall(SYS_gettid);
	pause();
	return NULL;
}

int main(int argc, char **argv)
{
	volatile pid_t tid = 0;
	char path[64], byte;
	pthread_t thread;

	test_init(argc, argv);

	if (pthread_create(&thread, NULL, wait_forever, (void *)&tid))
		return pr_perror("pthread_create");
	while (!tid)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	if (of_ended(FIRST_FD) || at(FIRST_FD + 1, "/proc/1/status") || at(FIRST_FD + 2, path) ||
	    at(FIRST_FD + 3, "/proc/self/fdinfo/0"))
		return 1;

	test_daemon();
	test_waitsig();

	if (read(FIRST_FD, &byte, 1) != -1 || errno != ESRCH)
		return fail("the child has not ended");
	for (int i = 1; i <= 3; i++)
		if (read(FIRST_FD + i, &byte, 1) != 1)
			return fail("descriptor %d can't be read", FIRST_FD + i);

	pass();
	return 0;
}
