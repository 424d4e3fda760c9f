#include <pthread.h>
#include <sys/personality.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "The execution domain of a thread, other than its leader's";
const char *test_author = "The criu team";

static futex_t ready;

static void *thread(void *arg)
{
	int domain = personality(0xffffffff) | SHORT_INODE;

	(void)arg;
	personality(domain);
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)(personality(0xffffffff) == domain ? 0 : fail("the thread's"));
}

int main(int argc, char **argv)
{
	int domain;
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	domain = personality(0xffffffff) | WHOLE_SECONDS;
	personality(domain);
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad || personality(0xffffffff) != domain)
		return fail("the execution domain is %#x, was %#x", personality(0xffffffff), domain);
	pass();
	return 0;
}
