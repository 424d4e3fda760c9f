#include <errno.h>
#include <linux/filter.h>
#include <linux/types.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/features-ptrace.h"

/* Not in every C library; ptrace(2) */
#define REQUEST_SECCOMP_GET_FILTER     0x420c
#define REQUEST_GET_RSEQ_CONFIGURATION 0x420f
#define OPTION_SUSPEND_SECCOMP	       (1L << 21)

struct rseq_configuration {
	__u64 address;
	__u32 bytes;
	__u32 signature;
	__u32 flags;
	__u32 pad;
};

static pid_t start_child(void)
{
	pid_t parent = getpid();
	pid_t child = fork();

	if (child)
		return child;
	/* Should criu die meanwhile, the child must not stay behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	for (;;)
		pause();
}

static bool stop_child(pid_t child)
{
	int status;

	return !ptrace(PTRACE_SEIZE, child, NULL, (void *)PTRACE_O_EXITKILL) &&
	       !ptrace(PTRACE_INTERRUPT, child, NULL, NULL) && waitpid(child, &status, __WALL) == child &&
	       WIFSTOPPED(status);
}

/* A child without filters is refused with EINVAL by a kernel that knows the request. */
static bool knows_get_filter(pid_t child)
{
	struct sock_filter filter;

	return ptrace(REQUEST_SECCOMP_GET_FILTER, child, 0, &filter) >= 0 || errno == EINVAL || errno == ENOENT;
}

static bool knows_rseq_configuration(pid_t child)
{
	struct rseq_configuration conf;

	return ptrace(REQUEST_GET_RSEQ_CONFIGURATION, child, sizeof(conf), &conf) == (long)sizeof(conf);
}

static bool can_suspend_seccomp(pid_t child)
{
	return !ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(PTRACE_O_EXITKILL | OPTION_SUSPEND_SECCOMP));
}

void features_probe_ptrace(struct kernel_features *ret)
{
	pid_t child = start_child();

	if (child < 0)
		return;
	ret->ptrace_seize = stop_child(child);
	if (ret->ptrace_seize) {
		ret->suspend_seccomp = can_suspend_seccomp(child);
		ret->seccomp_get_filter = knows_get_filter(child);
		ret->get_rseq_conf = knows_rseq_configuration(child);
	}
	kill(child, SIGKILL);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		;
}
