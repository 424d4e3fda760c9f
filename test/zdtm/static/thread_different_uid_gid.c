#include <pthread.h>

#include "capset.h"
#include "lock.h"
#include "taskutil.h"

const char *test_doc = "Credentials of a thread that differ from its leader's: ids, groups, capabilities";
const char *test_author = "The criu team";

/* The raw calls: glibc's change all threads. */
#define GROUP 90002

static futex_t ready;

static int check_ids(const char *who, unsigned want)
{
	unsigned r, e, s, list[4];

	if (syscall(SYS_getresuid, &r, &e, &s) || r != want || e != want || s != want)
		return fail("%s: uids %u %u %u, not %u", who, r, e, s, want);
	if (syscall(SYS_getresgid, &r, &e, &s) || r != want || e != want || s != want)
		return fail("%s: gids %u %u %u, not %u", who, r, e, s, want);
	if (want && (syscall(SYS_getgroups, 4, list) != 1 || list[0] != GROUP))
		return fail("%s: groups", who);
	return 0;
}

static void *thread(void *arg)
{
	unsigned group = GROUP;
	struct capset want, now;

	(void)arg;
	if (prctl(PR_SET_KEEPCAPS, 1) || syscall(SYS_setgroups, 1, &group) || syscall(SYS_setresgid, 77, 77, 77) ||
	    syscall(SYS_setresuid, 77, 77, 77) || capset_get(&want))
		return (void *)(long)pr_perror("credentials of the thread");
	want.permitted = CAP_BIT(CAP_NET_ADMIN) | CAP_BIT(CAP_KILL);
	want.effective = CAP_BIT(CAP_KILL);
	want.inheritable = CAP_BIT(CAP_NET_ADMIN);
	if (capset_set(&want))
		return (void *)(long)pr_perror("capset");
	futex_set_and_wake(&ready, 1);
	test_waitsig();

	if (capset_get(&now) || capset_differ("thread", &now, &want))
		return (void *)1L;
	return (void *)(long)check_ids("thread", 77);
}

int main(int argc, char **argv)
{
	struct capset before, after;
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno || capset_get(&before))
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad || check_ids("leader", 0))
		return fail("credentials");
	if (capset_get(&after) || capset_differ("leader", &after, &before))
		return 1;
	pass();
	return 0;
}
