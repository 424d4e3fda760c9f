#include <linux/audit.h>
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>

#include "remote/bpf.h"
#include "remote/confine.h"
#include "remote/ptrace.h"

/* The kernel's limit for all filters of a thread, in instructions. */
#define FILTERS_MAX 8192

struct filter {
	struct sock_filter *code;
	size_t n;
};

struct confine {
	bool forbids_all; /* strict mode, or filters we can't read */
	VEC(struct filter) filters;
};

static void read_filters(struct confine *confine, pid_t tid)
{
	for (uint64_t i = 0; i < FILTERS_MAX; i++) {
		struct filter *filter;
		long n = ptrace_request(PTRACE_SECCOMP_GET_FILTER, tid, i, 0);

		if (n == -ENOENT && i)
			return;
		if (n <= 0)
			break;
		filter = VEC_ADD(&confine->filters);
		filter->code = xalloc(n * sizeof(*filter->code));
		filter->n = n;
		if (ptrace_request(PTRACE_SECCOMP_GET_FILTER, tid, i, (uintptr_t)filter->code) != n)
			break;
	}
	confine->forbids_all = true;
}

struct confine *confine_read(pid_t tid, int seccomp_mode)
{
	struct confine *confine = xalloc(sizeof(*confine));

	confine->forbids_all = seccomp_mode != SECCOMP_MODE_FILTER;
	if (!confine->forbids_all)
		read_filters(confine, tid);
	return confine;
}

void confine_free(struct confine *confine)
{
	if (!confine)
		return;
	for (size_t i = 0; i < confine->filters.n; i++)
		free(confine->filters.data[i].code);
	VEC_FREE(&confine->filters);
	free(confine);
}

static enum confine_verdict verdict_of(uint32_t action)
{
	switch (action) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return CONFINE_ALLOWED;
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE: /* ENOSYS where nobody traces */
		return CONFINE_FAILED;
	default:
		return CONFINE_FATAL;
	}
}

enum confine_verdict confine_judge(const struct confine *confine, uint64_t ip, long nr, const uint64_t args[6])
{
	struct seccomp_data data = { .nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = ip };
	int32_t strictest = (int32_t)SECCOMP_RET_ALLOW;

	if (!confine)
		return CONFINE_ALLOWED;
	if (confine->forbids_all)
		return CONFINE_FATAL;
	memcpy(data.args, args, sizeof(data.args));
	for (size_t i = 0; i < confine->filters.n; i++) {
		uint32_t answer;
		int32_t action;

		if (bpf_run(confine->filters.data[i].code, confine->filters.data[i].n, &data, &answer))
			return CONFINE_FATAL;
		/* As numbers with a sign, the stricter action is the smaller one. */
		action = (int32_t)(answer & SECCOMP_RET_ACTION_FULL);
		if (action < strictest)
			strictest = action;
	}
	return verdict_of((uint32_t)strictest);
}
