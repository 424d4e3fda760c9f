/* Criu in the place of a job that it has restored: what its shell sees of it. */
#ifndef CRIU_COMMANDS_JOB_H
#define CRIU_COMMANDS_JOB_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * job_wait - stay until all children are gone
 * @root:      the job
 * @shell_job: when it is stopped, stop as well, so that the shell has the terminal again; and go on with it
 */
void job_wait(pid_t root, bool shell_job);

#endif
