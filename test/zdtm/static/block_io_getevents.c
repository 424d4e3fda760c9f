#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "aioprop.h"
#include "lock.h"
#include "taskutil.h"

const char *test_doc = "A thread that waits for AIO completions gets the one that comes after restore";
const char *test_author = "The criu team";

static futex_t tid;

static void *waiter(void *arg)
{
	const aio_context_t *ctx = arg;
	struct io_event event = { 0 };
	long n;

	futex_set_and_wake(&tid, syscall(SYS_gettid));
	n = syscall(SYS_io_getevents, *ctx, 1L, 1L, &event, NULL);
	if (n != 1)
		pr_perror("io_getevents gave %ld", n);
	return (void *)(long)(n == 1 && event.data == 42);
}

int main(int argc, char **argv)
{
	aio_context_t ctx;
	pthread_t thread;
	void *good;
	int null;

	test_init(argc, argv);
	null = open("/dev/null", O_RDONLY);
	if (null < 0 || aio_setup(1, &ctx))
		return pr_perror("set up");
	errno = pthread_create(&thread, NULL, waiter, &ctx);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_while(&tid, 0);
	if (task_wait_state(futex_get(&tid), 'S'))
		return 1;

	test_daemon();
	test_waitsig();

	if (aio_submit(ctx, IOCB_CMD_PREAD, null, NULL, 0, 0, 42) != 1)
		return fail("submit: %s", strerror(errno));
	if (pthread_join(thread, &good) || !good)
		return fail("the thread did not get it");
	pass();
	return 0;
}
