#include <pthread.h>
#include <sched.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "lock.h"
#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "libc's rseq area stays registered in every thread, and the kernel keeps it up to date";
const char *test_author = "The criu team";

static futex_t ready;

static struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Registering the same again is the way to ask: EBUSY if it is, EINVAL if another one is. */
static int registered(const char *who)
{
	/* The kernel wants the size that libc gave, at least the original one. */
	unsigned size = __rseq_size < 32 ? 32 : __rseq_size;

	if (syscall(SYS_rseq, area(), size, 0, RSEQ_SIG) != -1)
		return !fail("%s: no rseq area was registered", who);
	if (errno != EBUSY)
		return !fail("%s: another rseq area is registered", who);
	return 1;
}

/* Any preemption or migration makes the kernel write the CPU number. */
static int updated(const char *who)
{
	int i;

	area()->cpu_id = 54321;
	for (i = 0; i < 1000 && area()->cpu_id == 54321; i++)
		usleep(1000);
	if (*(volatile uint32_t *)&area()->cpu_id >= (uint32_t)CPU_SETSIZE)
		return !fail("%s: cpu_id is not updated: %u", who, area()->cpu_id);
	return 1;
}

static void *thread(void *arg)
{
	(void)arg;
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)!(registered("thread") && updated("thread"));
}

int main(int argc, char **argv)
{
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	if (!__rseq_size) {
		skip("libc has registered no rseq area");
		return skipped_test();
	}
	if (!registered("leader") || !updated("leader"))
		return 1;
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (!registered("leader") || !updated("leader"))
		return 1;
	if (pthread_join(id, &bad) || bad)
		return fail("the thread");
	pass();
	return 0;
}
