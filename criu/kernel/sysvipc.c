#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/sysvipc.h"
#include "util/log.h"
#include "util/mem.h"

const char *sysvipc_next_id_path(enum sysvipc_kind kind)
{
	static const char *const paths[] = {
		[SYSVIPC_SHM] = "/proc/sys/kernel/shm_next_id",
		[SYSVIPC_SEM] = "/proc/sys/kernel/sem_next_id",
		[SYSVIPC_MSG] = "/proc/sys/kernel/msg_next_id",
	};

	return paths[kind];
}

int sysvipc_next_id(enum sysvipc_kind kind, int id)
{
	auto_fd int fd = open(sysvipc_next_id_path(kind), O_WRONLY | O_CLOEXEC);

	return fd < 0 || dprintf(fd, "%d", id) < 0 ? -errno : 0;
}

/*
 * Limits count by the real user. The system calls change this thread alone, and the kernel makes a process that changed its user unreadable for
 * others of that user: that must not be inherited by the tasks.
 */
int sysvipc_make_as(uid_t cuid, gid_t cgid, int (*make)(const void *arg), const void *arg)
{
	uid_t uid = geteuid(), real_uid = getuid();
	gid_t gid = getegid();
	int dumpable = prctl(PR_GET_DUMPABLE), id;
	bool other = uid != cuid || gid != cgid;

	if (other && (syscall(SYS_setresgid, -1, cgid, -1) || syscall(SYS_setresuid, cuid, cuid, -1)))
		pr_warn("its creator was %u:%u; it is made by %u:%u: %m", cuid, cgid, uid, gid);
	id = make(arg);
	if (other && (syscall(SYS_setresuid, real_uid, uid, -1) || syscall(SYS_setresgid, -1, gid, -1)))
		return fail_errno("become user %u:%u again", uid, gid);
	if (other && dumpable == 1 && prctl(PR_SET_DUMPABLE, 1))
		return fail_errno("become readable again");
	return id;
}
