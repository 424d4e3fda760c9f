#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "zdtmtst.h"

const char *test_doc = "A thread with a working directory of its own: refused, not given that of its leader";
const char *test_author = "The criu team";

static int ready[2], result[2];

static void *own_directory(void *arg)
{
	char cwd[256], end;
	int good = !unshare(CLONE_FS) && !chdir("/proc");

	if (write(ready[1], &good, sizeof(good)) != sizeof(good) || read(result[0], &end, 1) != 0)
		return NULL;
	return getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, "/proc") ? arg : NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *kept;
	int good;

	test_init(argc, argv);

	if (pipe(ready) || pipe(result) || pthread_create(&thread, NULL, own_directory, &good))
		return pr_perror("thread");
	if (read(ready[0], &good, sizeof(good)) != sizeof(good) || !good)
		return pr_perror("unshare");

	test_daemon();
	test_waitsig();

	close(result[1]);
	if (pthread_join(thread, &kept) || !kept)
		return fail("the thread's directory changed");
	pass();
	return 0;
}
