#include <sys/time.h>
#include <sys/wait.h>

#include "zdtmtst.h"
#include "memprop.h"

const char *test_doc = "The vsyscall page: same line in maps, and calls end as they did before";

#define VSYSCALL_GETTIMEOFDAY 0xffffffffff600000UL

static struct map_line before, after;

/* Wait status of a child that calls gettimeofday() there: it depends on how the kernel was started. */
static int call_in_child(void)
{
	int status = -1;
	pid_t pid;

	pid = test_fork();
	if (!pid) {
		struct timeval tv = { 0, 0 };
		long (*volatile entry)(struct timeval *, void *) = (void *)VSYSCALL_GETTIMEOFDAY;

		_exit(entry(&tv, NULL) || tv.tv_sec < 1000000000);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		pr_perror("child");
	return status & 0xff7f; /* without the core flag */
}

int main(int argc, char **argv)
{
	int had_page, status;

	test_init(argc, argv);

	had_page = !map_find_named("[vsyscall]", &before);
	status = call_in_child();

	test_daemon();
	test_waitsig();

	if ((map_find_named("[vsyscall]", &after) == 0) != had_page)
		return fail("there was %s vsyscall page", had_page ? "a" : "no");
	if (had_page && (before.start != after.start || before.end != after.end || strcmp(before.perms, after.perms)))
		return fail("vsyscall page is %lx %s, was %lx %s", after.start, after.perms, before.start,
			    before.perms);
	if (call_in_child() != status)
		return fail("calls do not end with status %#x any more", status);

	pass();
	return 0;
}
