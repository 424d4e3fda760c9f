#include <dirent.h>
#include <signal.h>
#include <stdlib.h>

#include "lock.h"
#include "mqprop.h"
#include "taskutil.h"

const char *test_doc =
	"A thread that is to be told of a message in a POSIX queue (SIGEV_THREAD) is refused, and is told of it";

static futex_t told;

static void tell(union sigval value)
{
	futex_set_and_wake(&told, (uint32_t)value.sival_int);
}

/* The C library's thread is under way for a while. */
static int wait_for_thread(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	pid_t tid = 0;

	while (dir && (entry = readdir(dir)))
		if (atoi(entry->d_name) != getpid() && entry->d_name[0] != '.')
			tid = atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return tid ? task_wait_state(tid, 'S') : -1;
}

int main(int argc, char **argv)
{
	const struct sigevent event = {
		.sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = tell,
		.sigev_value.sival_int = 42,
	};
	mqd_t queue;

	test_init(argc, argv);

	queue = mq_make_unlinked("/zdtm-unsupported_mqueue", 0, 4);
	if (queue < 0) {
		skip("no POSIX message queue: %m");
		return skipped_test();
	}
	if (mq_notify(queue, &event) || wait_for_thread())
		return pr_perror("mq_notify");

	test_daemon();
	test_waitsig();

	if (mq_put(queue, "x", 0))
		return fail("send");
	futex_wait_until(&told, 42);

	pass();
	return 0;
}
