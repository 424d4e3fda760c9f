#include <linux/sched.h>
#include <stdio.h>
#include <sys/syscall.h>

#include "kernel/syscalls.h"
#include "remote/vfork.h"

/* By the system call it is in, see clone(2). */
bool vfork_waits(const struct remote_thread *thread)
{
	auto_free char *text = NULL;
	pid_t pid = thread->process->pid;
	uint64_t arg, flags = 0;
	char name[64];
	long nr;

	snprintf(name, sizeof(name), "task/%d/syscall", thread->tid);
	if (proc_read_file(pid, name, &text, NULL) || sscanf(text, "%ld %lx", &nr, &arg) != 2)
		return false;
	if (nr == SYS_clone)
		flags = arg;
	else if (nr == SYS_clone3 && sys_vm_read(pid, arg, &flags, sizeof(flags)))
		return false;
	return nr == SYS_vfork || flags & CLONE_VFORK;
}
