#include <linux/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc =
	"A process outside the tree shares the deleted file or memory: the dump is refused, and both go on sharing";

#define SIZE (16 * PG)

/* First page of the file; outsider and test talk through nothing else. */
static struct talk {
	pid_t test;	  /* set when the test is ready */
	unsigned int ask; /* raised by the test */
	unsigned int answer;
	int leave;
} * talk;

static char *map;

#ifdef OUTSIDER_ANON
/* A name hides that of the object in maps; kernels without CONFIG_ANON_VMA_NAME test the rest. */
static int map_memory(void)
{
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return pr_perror("mmap");
	if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, map, SIZE, "shared with an outsider"))
		test_msg("memory keeps its own name: %m\n");
	return 0;
}
#elif defined(OUTSIDER_SYSV)
static int map_memory(void)
{
	int id = shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600);

	map = id < 0 ? (char *)-1 : shmat(id, NULL, 0);
	if (map == (char *)-1 || shmctl(id, IPC_RMID, NULL))
		return pr_perror("shmat");
	return 0;
}
#else
static int map_memory(void)
{
	/* No name is known yet when this is called, so the file gets one of its own. */
#ifdef OUTSIDER_ON_DISK
	char name[] = "delshm_outsider.XXXXXX";
#else
	char name[] = "/dev/shm/zdtm-delshm_outsider-XXXXXX";
#endif
	int fd = mkstemp(name);

	if (fd < 0 || ftruncate(fd, SIZE) || unlink(name))
		return pr_perror("create %s", name);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED || close(fd))
		return pr_perror("mmap");
	return 0;
}
#endif

/*
 * Answers each question by checking the page of that number and filling the
 * one behind it. It ends when told to, or when the test is gone.
 */
static void outsider(void)
{
	unsigned int ask, done = 0;
	int idle = 0;

	while (!__atomic_load_n(&talk->leave, __ATOMIC_SEQ_CST)) {
		pid_t test = __atomic_load_n(&talk->test, __ATOMIC_SEQ_CST);

		/* Ten seconds for the test to get ready. */
		if (test ? kill(test, 0) : ++idle > 10000)
			_exit(1);
		ask = __atomic_load_n(&talk->ask, __ATOMIC_SEQ_CST);
		if (ask == done) {
			usleep(1000);
			continue;
		}
		if (pattern_bad(map + ask * PG, PG, ask) < 0)
			pattern_fill(map + (ask + 1) * PG, PG, 100 + ask);
		done = ask;
		__atomic_store_n(&talk->answer, ask, __ATOMIC_SEQ_CST);
	}
	_exit(0);
}

/* 0 when the outsider saw what was written and its own write is seen here. */
static int ask(unsigned int page)
{
	int i;

	pattern_fill(map + page * PG, PG, page);
	__atomic_store_n(&talk->ask, page, __ATOMIC_SEQ_CST);
	for (i = 0; i < 5000 && __atomic_load_n(&talk->answer, __ATOMIC_SEQ_CST) != page; i++)
		usleep(1000);
	if (__atomic_load_n(&talk->answer, __ATOMIC_SEQ_CST) != page)
		return pr_err("the outsider does not answer\n");
	if (pattern_bad(map + (page + 1) * PG, PG, 100 + page) >= 0)
		return pr_err("the outsider sees other memory\n");
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;
	int i;

	/* Asked for help it ends here. */
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--help"))
			test_init(argc, argv);

	/* Before test_init(), which makes the process that is dumped. */
	if (map_memory())
		return 1;
	talk = (struct talk *)map;
	pid = fork();
	if (!pid) {
		/* Nothing else may tie it to the test: session, parent, descriptors. */
		setsid();
		pid = fork();
		if (!pid) {
			syscall(SYS_close_range, 0, ~0U, 0);
			outsider();
		}
		_exit(pid < 0);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return pr_perror("fork");

	test_init(argc, argv);

	__atomic_store_n(&talk->test, getpid(), __ATOMIC_SEQ_CST);
	if (ask(2))
		return 1;

	test_daemon();
	test_waitsig();

	if (ask(4) || ask(6))
		return fail("not shared any more");
	if (pattern_bad(map + 2 * PG, PG, 2) >= 0 || pattern_bad(map + 3 * PG, PG, 102) >= 0)
		return fail("content changed");
	__atomic_store_n(&talk->leave, 1, __ATOMIC_SEQ_CST);

	pass();
	return 0;
}
