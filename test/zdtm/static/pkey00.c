#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "lock.h"
#include "zdtmtst.h"

#include "memprop.h"
#include "taskutil.h"

const char *test_doc =
	"Memory protection keys: of mappings, allocated ones, one that is free; the rights of two threads";
const char *test_author = "The criu team";

static char *map;
static int key, unused, freed;
static futex_t ready;
static sigjmp_buf faulted;

static void on_segv(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	siglongjmp(faulted, info->si_code == SEGV_PKUERR ? 1 : 2);
}

static int write_faults(void)
{
	int how = sigsetjmp(faulted, 1);

	if (!how)
		*(volatile char *)map = 1;
	return how;
}

static int read_faults(void)
{
	int how = sigsetjmp(faulted, 1);

	if (!how)
		(void)*(volatile char *)map;
	return how;
}

/* This one may not even read. */
static void *thread(void *arg)
{
	(void)arg;
	if (pkey_set(key, PKEY_DISABLE_ACCESS))
		return (void *)1;
	futex_set_and_wake(&ready, 1);
	test_waitsig();
	return (void *)(long)(read_faults() != 1 && fail("the thread may read"));
}

static int set(void)
{
	struct sigaction action = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO };

	map = mmap(NULL, 3 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED || sigaction(SIGSEGV, &action, NULL))
		return pr_perror("mmap");
	pattern_fill(map, 3 * PG, 1);
	freed = pkey_alloc(0, 0);
	key = pkey_alloc(0, PKEY_DISABLE_WRITE);
	unused = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	if (freed < 0 || key < 0 || unused < 0 || pkey_mprotect(map, PG, PROT_READ | PROT_WRITE, key) ||
	    pkey_mprotect(map + 2 * PG, PG, PROT_READ | PROT_WRITE, freed) || pkey_free(freed))
		return pr_perror("protection keys");
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t id;
	pid_t pid;
	void *bad;

	test_init(argc, argv);
	key = pkey_alloc(0, 0);
	if (key < 0) {
		skip("no memory protection keys");
		return skipped_test();
	}
	/* A child that has none of its parent's. */
	pkey_free(key);
	pid = child_start(NULL, NULL);
	if (pid < 0 || set())
		return 1;
	errno = pthread_create(&id, NULL, thread, NULL);
	if (errno)
		return pr_perror("pthread_create");
	futex_wait_until(&ready, 1);

	test_daemon();
	test_waitsig();

	if (pthread_join(id, &bad) || bad)
		return 1;
	if (pkey_get(key) != PKEY_DISABLE_WRITE || pkey_get(unused) != PKEY_DISABLE_ACCESS)
		return fail("the rights are %d and %d", pkey_get(key), pkey_get(unused));
	if (pattern_bad(map, 2 * PG, 1) >= 0 || read_faults() || write_faults() != 1)
		return fail("the memory is not protected as it was");
	map[PG] ^= 1;
	map[PG] ^= 1;
	if (pkey_set(key, 0) || write_faults())
		return fail("the rights can't be changed");
	pattern_fill(map, PG, 1);
	/* Free keys are given away again, allocated ones are not. */
	if (pkey_alloc(0, 0) != freed || pkey_free(freed))
		return fail("another key is free than was");
	if (pkey_set(key, PKEY_DISABLE_WRITE) || pkey_mprotect(map, PG, PROT_READ | PROT_WRITE, unused) ||
	    read_faults() != 1 || pkey_mprotect(map, PG, PROT_READ | PROT_WRITE, key) || pkey_free(unused) ||
	    pkey_free(key))
		return fail("the keys were not allocated");
	if (child_finish(pid))
		return 1;
	pass();
	return 0;
}
