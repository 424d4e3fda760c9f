#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "A robust mutex: dump and restore don't count as the holder's death, his death afterwards does";
const char *test_author = "The criu team";

struct shared {
	pthread_mutex_t mutex;
};

static struct shared *shared;

static int hold(void)
{
	errno = pthread_mutex_lock(&shared->mutex);
	return errno ? pr_perror("pthread_mutex_lock") : 0;
}

static int init_mutex(void)
{
	pthread_mutexattr_t attr;

	errno = pthread_mutexattr_init(&attr) ?: pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) ?:
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) ?:
		pthread_mutex_init(&shared->mutex, &attr);
	return errno ? pr_perror("robust mutex") : 0;
}

static int get_list(void **head, size_t *len)
{
	return syscall(SYS_get_robust_list, 0, head, len) ? pr_perror("get_robust_list") : 0;
}

int main(int argc, char **argv)
{
	void *head_before, *head_after;
	size_t len_before, len_after;
	pid_t holder;
	int ret;

	test_init(argc, argv);
	shared = shared_alloc(sizeof(*shared));
	if (!shared || init_mutex() || get_list(&head_before, &len_before))
		return 1;
	holder = child_start(hold, NULL);
	if (holder < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (get_list(&head_after, &len_after) || head_after != head_before || len_after != len_before)
		return fail("robust list %p %zu, was %p %zu", head_after, len_after, head_before, len_before);
	ret = pthread_mutex_trylock(&shared->mutex);
	if (ret != EBUSY)
		return fail("the mutex is not held: %s", strerror(ret));
	if (kill(holder, SIGKILL) || waitpid(holder, NULL, 0) != holder)
		return fail("kill the holder");
	ret = pthread_mutex_trylock(&shared->mutex);
	if (ret != EOWNERDEAD)
		return fail("the holder is dead, trylock says: %s", strerror(ret));
	pass();
	return 0;
}
