#include <pthread.h>
#include <sys/prctl.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Names of a process, its thread and its child, with characters that confuse parsers";
const char *test_author = "The criu team";

static futex_t ready;

static int has_name(const char *want)
{
	char name[16];

	if (prctl(PR_GET_NAME, name))
		return !pr_perror("PR_GET_NAME");
	if (strcmp(name, want))
		return !fail("the name is '%s', it was '%s'", name, want);
	return 1;
}

static int set_child(void)
{
	return prctl(PR_SET_NAME, "") ? pr_perror("PR_SET_NAME") : 0;
}

static int check_child(void)
{
	return !has_name("");
}

static void *thread(void *arg)
{
	if (prctl(PR_SET_NAME, arg))
		return (void *)(long)pr_perror("PR_SET_NAME");
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)!has_name(arg);
}

int main(int argc, char **argv)
{
	pthread_t id;
	pid_t child;
	void *bad;

	test_init(argc, argv);
	child = child_start(set_child, check_child);
	if (child < 0)
		return 1;
	errno = pthread_create(&id, NULL, thread, "fifteen bytes \\");
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	if (prctl(PR_SET_NAME, "a) R (\n\t b"))
		return pr_perror("PR_SET_NAME");

	test_daemon();
	test_waitsig();

	if (!has_name("a) R (\n\t b") || pthread_join(id, &bad) || bad || child_finish(child))
		return fail("a name");
	pass();
	return 0;
}
