#include <errno.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "kernel/syscalls.h"

#define IOPRIO_WHO_PROCESS 1

static inline long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

long sys_clone3(const struct clone_args *args, size_t bytes)
{
	return result(syscall(SYS_clone3, args, bytes));
}

int sys_pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)result(syscall(SYS_pidfd_open, pid, flags));
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return (int)result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

int sys_pidfd_send_signal(int pidfd, int signo)
{
	return (int)result(syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0));
}

int sys_kcmp(pid_t pid1, pid_t pid2, int type, unsigned long idx1, unsigned long idx2)
{
	return (int)result(syscall(SYS_kcmp, pid1, pid2, type, idx1, idx2));
}

int sys_get_robust_list(pid_t tid, uint64_t *ret_head, uint64_t *ret_bytes)
{
	unsigned long head, bytes;
	long ret = result(syscall(SYS_get_robust_list, tid, &head, &bytes));

	if (ret < 0)
		return (int)ret;
	*ret_head = head;
	*ret_bytes = bytes;
	return 0;
}

int sys_sched_getattr(pid_t tid, struct kernel_sched_attr *ret)
{
	*ret = (struct kernel_sched_attr){ 0 };
	return (int)result(syscall(SYS_sched_getattr, tid, ret, sizeof(*ret), 0));
}

int sys_sched_setattr(pid_t tid, struct kernel_sched_attr *attr)
{
	attr->size = sizeof(*attr);
	return (int)result(syscall(SYS_sched_setattr, tid, attr, 0));
}

int sys_ioprio_get(pid_t tid)
{
	return (int)result(syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid));
}

typedef ssize_t (*vm_transfer)(pid_t pid, const struct iovec *local, unsigned long n_local, const struct iovec *remote,
			       unsigned long n_remote, unsigned long flags);

/*
 * The kernel stops at the first page it cannot reach and reports what it has
 * done before; only the next call tells why.
 */
static int transfer_all(vm_transfer transfer, pid_t pid, uint64_t addr, void *buf, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		struct iovec local = { .iov_base = (char *)buf + done, .iov_len = bytes - done };
		struct iovec remote = { .iov_base = (void *)(uintptr_t)(addr + done), .iov_len = bytes - done };
		ssize_t n = transfer(pid, &local, 1, &remote, 1, 0);

		if (n < 0)
			return -errno;
		if (!n)
			return -EFAULT;
		done += n;
	}
	return 0;
}

int sys_vm_read(pid_t pid, uint64_t addr, void *buf, size_t bytes)
{
	return transfer_all(process_vm_readv, pid, addr, buf, bytes);
}

int sys_vm_write(pid_t pid, uint64_t addr, const void *buf, size_t bytes)
{
	return transfer_all(process_vm_writev, pid, addr, (void *)buf, bytes);
}
