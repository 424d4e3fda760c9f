#include <pthread.h>
#include <sys/prctl.h>

#include "lock.h"
#include "zdtmtst.h"

const char *test_doc =
	"What prctl sets for a thread: counter fault, memory errors, I/O flusher, mitigations; and merging";
const char *test_author = "The criu team";

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef PR_SPEC_L1D_FLUSH
#define PR_SPEC_L1D_FLUSH 2
#endif

#define N_CHOICES 7

static futex_t ready;
/* What each thread had before the dump: [0] the leader, [1] the thread that changes what it can. */
static int before[2][N_CHOICES];

static void look(int ret[N_CHOICES])
{
	if (prctl(PR_GET_TSC, &ret[0], 0, 0, 0))
		ret[0] = -1;
	ret[1] = prctl(PR_MCE_KILL_GET, 0, 0, 0, 0);
	ret[2] = prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0);
	ret[3] = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	ret[4] = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0);
	ret[5] = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_L1D_FLUSH, 0, 0, 0);
	ret[6] = prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0);
}

static int compare(const char *who, const int *was)
{
	int now[N_CHOICES], bad = 0;

	look(now);
	for (int i = 0; i < N_CHOICES; i++)
		if (now[i] != was[i])
			bad = fail("%s: choice %d is %d and was %d", who, i, now[i], was[i]);
	return bad;
}

/* Some of it this machine or user does not have: whatever could be set counts. */
static void *thread(void *arg)
{
	(void)arg;
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, PR_SPEC_DISABLE, 0, 0);
	prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE, 0, 0);
	prctl(PR_SET_SPECULATION_CTRL, PR_SPEC_L1D_FLUSH, PR_SPEC_ENABLE, 0, 0);
	look(before[1]);
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)compare("thread", before[1]);
}

int main(int argc, char **argv)
{
	pthread_t id;
	void *bad;

	test_init(argc, argv);
	prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0);
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);
	look(before[0]);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad || compare("leader", before[0]))
		return fail("choices made with prctl");
	pass();
	return 0;
}
