#include <asm/ldt.h>

#include "zdtmtst.h"
#include "inotify.h"
#include "kids.h"
#include "semthread.h"

const char *test_doc = "Reasons that are seen from outside and reasons that only the tasks can tell are given at once";

static struct sem_thread holder, childs_holder;

/* The child: two that it can tell. */
static int prepare(void *)
{
	struct user_desc desc = {
		.entry_number = 0, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1
	};

	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)))
		return pr_perror("modify_ldt");
	return sem_thread_start(&childs_holder, 2);
}

static int check(void *)
{
	char ldt[sizeof(struct user_desc)];

	if (syscall(SYS_modify_ldt, 0, ldt, sizeof(ldt)) <= 0)
		return fail("child: the local descriptor table");
	return sem_thread_finish(&childs_holder);
}

int main(int argc, char **argv)
{
	pid_t child;
	int fd, wd;

	test_init(argc, argv);

	child = kid_start(prepare, check, NULL);
	if (child < 0 || sem_thread_start(&holder, 1))
		return 1;
	fd = inotify_init1(IN_NONBLOCK);
	wd = inotify_add_watch(fd, "/proc/self/comm", IN_MODIFY);
	if (fd < 0 || wd < 0 || inotify_rm_watch(fd, wd))
		return pr_perror("inotify");

	test_daemon();
	test_waitsig();

	if (next_event(fd, wd, IN_IGNORED, "") || no_event(fd) || sem_thread_finish(&holder) || kid_finish(child))
		return fail("changed");

	pass();
	return 0;
}
