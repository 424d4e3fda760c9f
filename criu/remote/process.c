#include <fcntl.h>
#include <unistd.h>

#include "kernel/syscalls.h"
#include "remote/confine.h"
#include "remote/process.h"
#include "util/log.h"

/* How long a number may be nobody's, and how often to look. */
#define PIDFD_PATIENCE_US 200000U
#define PIDFD_PAUSE_US	  1000U

int remote_pidfd(pid_t pid)
{
	unsigned int waited_us = 0;
	int fd;

	while ((fd = sys_pidfd_open(pid, 0)) == -EINVAL && waited_us < PIDFD_PATIENCE_US) {
		usleep(PIDFD_PAUSE_US);
		waited_us += PIDFD_PAUSE_US;
	}
	return fd;
}

int remote_read(struct remote_process *process, struct remote_addr from, void *buf, size_t bytes)
{
	int err = sys_vm_read(process->pid, from.v, buf, bytes);

	return err < 0 ? fail(-err, "task %d: cannot read %zu bytes at %#lx", process->pid, bytes, from.v) : 0;
}

int remote_write(struct remote_process *process, struct remote_addr to, const void *buf, size_t bytes)
{
	int err = sys_vm_write(process->pid, to.v, buf, bytes);

	return err < 0 ? fail(-err, "task %d: cannot write %zu bytes at %#lx", process->pid, bytes, to.v) : 0;
}

int remote_mem_fd(struct remote_process *process)
{
	if (process->mem_fd < 0) {
		int fd = proc_open(process->pid, "mem", O_RDWR);

		if (fd < 0)
			return fail(-fd, "task %d: cannot open its memory", process->pid);
		process->mem_fd = fd;
	}
	return process->mem_fd;
}

void remote_process_free(struct remote_process *process)
{
	proc_status_free(&process->status);
	close_fdp(&process->pidfd);
	close_fdp(&process->mem_fd);
	VEC_FREE(&process->leftovers);
	for (size_t i = 0; i < process->n_threads; i++)
		confine_free(process->threads[i].confine);
	free(process->threads);
	free(process);
}
