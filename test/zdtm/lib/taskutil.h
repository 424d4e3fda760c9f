#ifndef ZDTM_TASKUTIL_H
#define ZDTM_TASKUTIL_H

/* Helpers for tests of tasks: time, /proc/.../status, children that check themselves. */

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The clock in nanoseconds. */
extern uint64_t now_ns(clockid_t clock);

/* Zeroed memory that children share; NULL with a message on error. */
extern void *shared_alloc(size_t size);

/*
 * Value of a line of /proc/@task/status without surrounding blanks; @task is
 * "self", "PID" or "PID/task/TID". 0, or -1 with a message.
 */
extern int status_field(const char *task, const char *field, char *buf, int size);

/* The same for a line whose value is one hexadecimal number, as masks are. */
extern int status_mask(const char *task, const char *field, uint64_t *ret);

/* State letter of task @tid; 0 if there is no such task. */
extern char task_state(pid_t tid);

/* Wait until @tid has been in @state for several looks in a row; 0, or -1 with a message after 10 s. */
extern int task_wait_state(pid_t tid, char state);

/*
 * Fork a child that calls set(), waits for its own SIGTERM and exits with
 * !!check(); either may be NULL. Returns its pid once set() has returned 0,
 * -1 with a message otherwise.
 */
extern pid_t child_start(int (*set)(void), int (*check)(void));

/* Tell such a child to check itself; 0 if it was content, else 1 with a message. */
extern int child_finish(pid_t pid);

/* Wait for the end of @pid; 0 if it exited with 0, else 1 with a message. */
extern int child_reap(pid_t pid);

/* The life of a test whose only subject is one such child; what main() returns. */
extern int child_test(int argc, char **argv, int (*set)(void), int (*check)(void));

/* The life of a test whose only subject is its main process; what main() returns. */
extern int self_test(int argc, char **argv, int (*set)(void), int (*check)(void));

/* End of a test that has said skip(). */
extern int skipped_test(void);

#endif
