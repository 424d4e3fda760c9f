#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "taskutil.h"
#include "zdtmtst.h"

const char *test_doc = "Guard pages set with madvise, in private and shared memory: an access is SIGSEGV, their "
		       "neighbours are as before";
const char *test_author = "The criu team";

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

#define PAGES 8
#define PAGE  4096

static char *areas[2];
static sigjmp_buf faulted;

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(faulted, 1);
}

static int faults(volatile char *page)
{
	if (sigsetjmp(faulted, 1))
		return 1;
	(void)*page;
	return 0;
}

/* Pages 2 and 3, and in the child page 6 besides. */
static int check(const char *who, int more)
{
	for (int a = 0; a < 2; a++)
		for (int i = 0; i < PAGES; i++) {
			int guarded = i == 2 || i == 3 || i == more;

			if (faults(areas[a] + i * PAGE) != guarded)
				return fail("%s: area %d page %d is %sguarded", who, a, i, guarded ? "not " : "");
			if (!guarded && areas[a][i * PAGE] != (i % 2 ? 'a' + i : 0))
				return fail("%s: area %d page %d has another content", who, a, i);
		}
	return 0;
}

static int set_child(void)
{
	return madvise(areas[0] + 6 * PAGE, PAGE, MADV_GUARD_INSTALL) ||
	       madvise(areas[1] + 6 * PAGE, PAGE, MADV_GUARD_INSTALL);
}

static int check_child(void)
{
	return check("child", 6);
}

int main(int argc, char **argv)
{
	pid_t pid;

	test_init(argc, argv);
	signal(SIGSEGV, on_segv);
	for (int a = 0; a < 2; a++) {
		areas[a] = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				(a ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
		if (areas[a] == MAP_FAILED)
			return pr_perror("mmap");
		for (int i = 1; i < PAGES; i += 2)
			areas[a][i * PAGE] = 'a' + i;
		if (madvise(areas[a] + 2 * PAGE, 2 * PAGE, MADV_GUARD_INSTALL)) {
			skip("no guard pages: %s", strerror(errno));
			return skipped_test();
		}
	}
	pid = child_start(set_child, check_child);
	if (pid < 0)
		return 1;

	test_daemon();
	test_waitsig();

	if (check("parent", -1) || child_finish(pid))
		return 1;
	pass();
	return 0;
}
