#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "zdtmtst.h"

int sys_clone_unified(unsigned long flags, void *child_stack, void *parent_tid, void *child_tid, unsigned long newtls)
{
#if defined(__x86_64__)
	return syscall(SYS_clone, flags, child_stack, parent_tid, child_tid, newtls);
#else
	return syscall(SYS_clone, flags, child_stack, parent_tid, newtls, child_tid);
#endif
}

static void __attribute__((noreturn)) waiter_die(const char *what)
{
	pr_perror("task waiter: %s", what);
	exit(1);
}

void task_waiter_init(task_waiter_t *t)
{
	t->seed = getpid();
	if (pipe2(t->pipes, O_CLOEXEC))
		waiter_die("pipe");
}

void task_waiter_fini(task_waiter_t *t)
{
	close(t->pipes[0]);
	close(t->pipes[1]);
}

void task_waiter_complete(task_waiter_t *t, unsigned int lockid)
{
	if (write_data(t->pipes[1], (unsigned char *)&lockid, sizeof(lockid)))
		waiter_die("write");
}

void task_waiter_complete_current(task_waiter_t *t)
{
	task_waiter_complete(t, getpid());
}

void task_waiter_wait4(task_waiter_t *t, unsigned int lockid)
{
	unsigned int v;

	for (;;) {
		if (read_data(t->pipes[0], (unsigned char *)&v, sizeof(v)))
			waiter_die("read");
		if (v == lockid)
			return;
		/* Somebody else's; put it back and let him run. */
		task_waiter_complete(t, v);
		usleep(1000);
	}
}
