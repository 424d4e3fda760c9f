/*
 * What seccomp would do to a thread that makes a call while nobody traces it.
 *
 * We have its filters suspended, but that ends with us: if we are killed
 * while it is about to make a call of ours, the filters judge it. A thread may be driven like any other
 * if they let it off.
 */
#ifndef CRIU_REMOTE_CONFINE_H
#define CRIU_REMOTE_CONFINE_H

#include "remote/process.h"

struct confine;

/**
 * confine_read - the seccomp mode and filters of a stopped thread
 * Return: owned by the caller. Filters that can't be read count as forbidding all.
 */
struct confine *confine_read(pid_t tid, int seccomp_mode);
void confine_free(struct confine *confine);

enum confine_verdict {
	CONFINE_ALLOWED,
	CONFINE_FAILED, /* returns an error instead, which harms nobody */
	CONFINE_FATAL,	/* kills, or stops for a supervisor */
};

/**
 * confine_judge - what becomes of a call
 * @confine: NULL for a thread without seccomp
 * @ip: of the instruction behind the system call
 */
enum confine_verdict confine_judge(const struct confine *confine, uint64_t ip, long nr, const uint64_t args[6]);

#endif
