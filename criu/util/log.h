/*
 * The log: one sink for the whole process, and scopes that say what is being
 * worked on, so that a line reads
 *
 *   Error (pipe.c:88): task 41: fd 7: cannot read the pipe: Permission denied
 *
 * Errors go to the log and, when the log is a file, to stderr as well.
 * Messages (pr_msg) are a command's answer: bare, to stdout, at any level.
 * Lines need no newline at their end, and are never cut but before log_open(); every line is one write(2), so threads
 * and forked children may print too. errno is left alone.
 */
#ifndef CRIU_UTIL_LOG_H
#define CRIU_UTIL_LOG_H

#include <errno.h>
#include <stdbool.h>

#include "util/macros.h"

enum log_level {
	LOG_MSG = 0,
	LOG_ERROR = 1,
	LOG_WARN = 2,
	LOG_INFO = 3,
	LOG_DEBUG = 4,
};

/** log_set_level - highest level that is printed; 3 and up add timestamps. */
void log_set_level(int level);
int log_level(void);

/**
 * log_open - send the log to a file
 * @dir_fd: directory @name is relative to; borrowed
 * @name:   file name, "-" for stdout, NULL for stderr
 *
 * The file is created with mode 0600, truncated, and never reached through a
 * symlink. Lines printed before this call are kept and written to it.
 *
 * Return: 0 or negative errno (reported on stderr).
 */
int must_check log_open(int dir_fd, const char *name);

/** log_close - flush; print kept early lines to stderr if no log was opened. */
void log_close(void);

/** log_fd - descriptor of the sink, for children that print; borrowed. */
int log_fd(void);

/** log_first_error - the first error line, at most 1023 bytes of it; "" if there was none; borrowed. */
const char *log_first_error(void);

/**
 * log_hold_errors - from now on errors are lines of debugging, and the newest is kept: for work that may fail and be
 * tried again
 * log_held_error - its text with the scopes, without level and place; owned by the caller; "" if there was none since
 */
void log_hold_errors(bool hold);
char *log_held_error(void);

/** log_text - the message as a line would have it: behind the scopes, without control characters; owned. */
char *log_text(const char *fmt, ...) printf_like(1, 2);

void log_print(enum log_level level, const char *file, int line, const char *fmt, ...) printf_like(4, 5);

/* Returns -err after printing the message, the scope and strerror(err). */
int log_fail(int err, const char *file, int line, const char *fmt, ...) printf_like(4, 5);

#define pr_msg(fmt, ...)   log_print(LOG_MSG, __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define pr_err(fmt, ...)   log_print(LOG_ERROR, __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define pr_warn(fmt, ...)  log_print(LOG_WARN, __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...)  log_print(LOG_INFO, __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define pr_debug(fmt, ...) log_print(LOG_DEBUG, __FILE__, __LINE__, fmt, ##__VA_ARGS__)

/*
 * fail(): report and return in one statement:  return fail(EINVAL, "bad id %u", id);
 * fail_errno(): the same with the errno of the call that just failed.
 * The cause is logged once, here; callers above pass the value on untouched.
 */
#define fail(err, fmt, ...)  log_fail((err), __FILE__, __LINE__, fmt, ##__VA_ARGS__)
#define fail_errno(fmt, ...) log_fail(errno, __FILE__, __LINE__, fmt, ##__VA_ARGS__)

/* What the lines printed until the end of the enclosing block are about. */
struct log_scope {
	const char *what; /* string literal: "task", "fd", "mapping" */
	long long id;
	bool hex;
	struct log_scope *up;
};

/** log_scope_id - of the innermost scope called @what; -1: not in one. */
long long log_scope_id(const char *what);

/** log_scope_is - is the innermost scope called @what? */
bool log_scope_is(const char *what);

void log_scope_enter(struct log_scope *scope);
void log_scope_leave(struct log_scope *scope);

#define LOG_SCOPE_NAME2(line) log_scope_##line
#define LOG_SCOPE_NAME(line)  LOG_SCOPE_NAME2(line)
#define LOG_SCOPE_AS(scope_what, scope_id, scope_hex)                                                                  \
	cleanup_with(log_scope_leave) struct log_scope LOG_SCOPE_NAME(                                                 \
		__LINE__) = { .what = (scope_what), .id = (long long)(scope_id), .hex = (scope_hex) };                 \
	log_scope_enter(&LOG_SCOPE_NAME(__LINE__))
#define LOG_SCOPE(what, id)	LOG_SCOPE_AS(what, id, false)
#define LOG_SCOPE_HEX(what, id) LOG_SCOPE_AS(what, id, true)

#endif
