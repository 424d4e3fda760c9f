#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "util/mem.h"

#define LINE_BYTES	8192 /* usually enough */
#define EARLY_BYTES	16384
#define TIMESTAMPS_FROM LOG_INFO

enum sink {
	SINK_EARLY,    /* nothing opened yet: lines are kept */
	SINK_TERMINAL, /* stderr or stdout: errors need no second copy */
	SINK_FILE,
};

/* Kept lines stand one after the other, each behind a byte with its level. */
static struct {
	enum sink sink;
	int fd;
	int level;
	struct timespec start;
	char early[EARLY_BYTES];
	size_t early_bytes;
	char first_error[1024];
	atomic_flag has_first_error;
	bool holding;
	char *held_error; /* owned; NULL: none */
	pthread_mutex_t held_lock;
} log_sink = {
	.fd = STDERR_FILENO,
	.level = LOG_WARN,
	.has_first_error = ATOMIC_FLAG_INIT,
	.held_lock = PTHREAD_MUTEX_INITIALIZER,
};

static _Thread_local struct log_scope *innermost;

/*
 * A line under construction; one byte is kept back for the newline. It is as long as it has to be, for a list of
 * who stands in the way is of no use without its end.
 */
struct line {
	char *text; /* in @room, or owned */
	size_t cap, bytes;
	char room[LINE_BYTES];
};

static void line_init(struct line *line)
{
	line->text = line->room;
	line->cap = sizeof(line->room);
	line->bytes = 0;
}

static void line_free(struct line *line)
{
	if (line->text != line->room)
		free(line->text);
}

#define auto_line cleanup_with(line_free) struct line

static void line_grow(struct line *line, size_t bytes)
{
	char *text = xrealloc(line->text == line->room ? NULL : line->text, bytes);

	if (line->text == line->room)
		memcpy(text, line->room, line->bytes);
	line->text = text;
	line->cap = bytes;
}

static void printf_like(2, 0) line_vadd(struct line *line, const char *fmt, va_list args)
{
	size_t room = line->cap - 1 - line->bytes;
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(line->text + line->bytes, room, fmt, args);
	if (n >= 0 && (size_t)n >= room) {
		line_grow(line, 2 * (line->bytes + (size_t)n + 2));
		vsnprintf(line->text + line->bytes, line->cap - 1 - line->bytes, fmt, again);
	}
	va_end(again);
	if (n > 0)
		line->bytes += (size_t)n;
}

static void printf_like(2, 3) line_add(struct line *line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	line_vadd(line, fmt, args);
	va_end(args);
}

static void line_add_timestamp(struct line *line)
{
	struct timespec now;
	long long us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!log_sink.start.tv_sec && !log_sink.start.tv_nsec)
		log_sink.start = now;
	us = (now.tv_sec - log_sink.start.tv_sec) * 1000000LL + (now.tv_nsec - log_sink.start.tv_nsec) / 1000;
	line_add(line, "(%02lld.%06lld) ", us / 1000000, us % 1000000);
}

/* Of two of a kind, the one within the other counts. */
static bool is_outdone(const struct log_scope *scope)
{
	for (const struct log_scope *inner = innermost; inner != scope; inner = inner->up)
		if (!strcmp(inner->what, scope->what))
			return true;
	return false;
}

/* Return: where the last of them begins. */
static size_t line_add_scopes(struct line *line, const struct log_scope *scope)
{
	size_t begin;

	if (!scope)
		return line->bytes;
	begin = line_add_scopes(line, scope->up);
	if (is_outdone(scope))
		return begin;
	begin = line->bytes;
	if (scope->hex)
		line_add(line, "%s %llx: ", scope->what, (unsigned long long)scope->id);
	else
		line_add(line, "%s %lld: ", scope->what, scope->id);
	return begin;
}

/* A message for all circumstances may say itself what the last scope has just said. */
static void printf_like(2, 0) line_add_message(struct line *line, const char *fmt, va_list args)
{
	const size_t scope = line_add_scopes(line, innermost), message = line->bytes, n = message - scope;

	line_vadd(line, fmt, args);
	if (!n || line->bytes - message < n || memcmp(line->text + scope, line->text + message, n))
		return;
	memmove(line->text + scope, line->text + message, line->bytes - message);
	line->bytes -= n;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/*
 * File names of the dumped tasks end up in messages: a newline in one must not
 * be able to forge a line of its own.
 */
static void line_finish(struct line *line, size_t message)
{
	while (line->bytes > message && line->text[line->bytes - 1] == '\n')
		line->bytes--;
	for (size_t i = message; i < line->bytes; i++)
		if ((unsigned char)line->text[i] < ' ' && line->text[i] != '\t')
			line->text[i] = '?';
	line->text[line->bytes++] = '\n';
}

/* One write per line, so that lines of several processes do not mix. */
static void write_line(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, text, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		bytes -= n;
	}
}

static void keep_early(enum log_level level, const char *text, size_t bytes)
{
	if (bytes > LINE_BYTES)
		bytes = LINE_BYTES;
	if (bytes + 2 > EARLY_BYTES - log_sink.early_bytes)
		return;
	log_sink.early[log_sink.early_bytes++] = (char)('0' + level);
	memcpy(log_sink.early + log_sink.early_bytes, text, bytes - 1);
	log_sink.early_bytes += bytes;
	log_sink.early[log_sink.early_bytes - 1] = '\n';
}

static void sink_line(enum log_level level, const char *text, size_t bytes)
{
	if (log_sink.sink == SINK_EARLY) {
		keep_early(level, text, bytes);
		return;
	}
	write_line(log_sink.fd, text, bytes);
	if (level == LOG_ERROR && log_sink.sink == SINK_FILE)
		write_line(STDERR_FILENO, text, bytes);
}

static void flush_early(void)
{
	size_t at = 0;

	while (at < log_sink.early_bytes) {
		enum log_level level = log_sink.early[at++] - '0';
		const char *text = log_sink.early + at;
		const char *newline = memchr(text, '\n', log_sink.early_bytes - at);
		size_t bytes = newline - text + 1;

		sink_line(level, text, bytes);
		at += bytes;
	}
	log_sink.early_bytes = 0;
}

static void remember_error(const char *text, size_t bytes)
{
	if (atomic_flag_test_and_set(&log_sink.has_first_error))
		return;
	if (bytes > sizeof(log_sink.first_error) - 1)
		bytes = sizeof(log_sink.first_error) - 1;
	memcpy(log_sink.first_error, text, bytes);
}

static void hold_error(const struct line *line, size_t message)
{
	char *text = xasprintf("%.*s", (int)(line->bytes - 1 - message), line->text + message);

	pthread_mutex_lock(&log_sink.held_lock);
	free(log_sink.held_error);
	log_sink.held_error = text;
	pthread_mutex_unlock(&log_sink.held_lock);
}

static void line_begin(struct line *line, enum log_level level, const char *file, int line_no)
{
	line_init(line);
	if (level == LOG_MSG)
		return;
	if (log_sink.level >= TIMESTAMPS_FROM)
		line_add_timestamp(line);
	if (level == LOG_ERROR)
		line_add(line, "Error (%s:%d): ", base_name(file), line_no);
	else if (level == LOG_WARN)
		line_add(line, "Warn  (%s:%d): ", base_name(file), line_no);
}

static void line_emit(struct line *line, enum log_level level, size_t message)
{
	line_finish(line, message);
	if (level == LOG_MSG) {
		write_line(STDOUT_FILENO, line->text, line->bytes);
		return;
	}
	if (level == LOG_ERROR && log_sink.holding) {
		hold_error(line, message);
		level = LOG_DEBUG;
	}
	if (level == LOG_ERROR)
		remember_error(line->text, line->bytes);
	if ((int)level <= log_sink.level)
		sink_line(level, line->text, line->bytes);
}

/* @err: 0, or the errno whose text ends the line. */
static void printf_like(5, 0)
	emit(enum log_level level, int err, const char *file, int line_no, const char *fmt, va_list args)
{
	int saved_errno = errno;
	auto_line line;
	size_t message;

	line_begin(&line, level, file, line_no);
	message = line.bytes;
	if (level != LOG_MSG)
		line_add_message(&line, fmt, args);
	else
		line_vadd(&line, fmt, args);
	if (err) {
		char buf[64];

		line_add(&line, ": %s", strerror_r(err, buf, sizeof(buf)));
	}
	line_emit(&line, level, message);
	errno = saved_errno;
}

void log_print(enum log_level level, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	/* The first error is kept even when errors are not printed. */
	if ((int)level > log_sink.level && level > LOG_ERROR)
		return;
	va_start(args, fmt);
	emit(level, 0, file, line, fmt, args);
	va_end(args);
}

int log_fail(int err, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	/* A failure must never come back as success because errno was not set. */
	if (err < 0)
		err = -err;
	else if (!err)
		err = EIO;
	va_start(args, fmt);
	emit(LOG_ERROR, err, file, line, fmt, args);
	va_end(args);
	return -err;
}

void log_hold_errors(bool hold)
{
	log_sink.holding = hold;
	free(log_sink.held_error);
	log_sink.held_error = NULL;
}

char *log_held_error(void)
{
	char *text;

	pthread_mutex_lock(&log_sink.held_lock);
	text = xstrdup(log_sink.held_error ?: "");
	pthread_mutex_unlock(&log_sink.held_lock);
	return text;
}

char *log_text(const char *fmt, ...)
{
	auto_line line;
	va_list args;

	line_init(&line);
	va_start(args, fmt);
	line_add_message(&line, fmt, args);
	va_end(args);
	line_finish(&line, 0);
	line.text[line.bytes - 1] = '\0';
	return xstrdup(line.text);
}

void log_set_level(int level)
{
	if (level < LOG_MSG)
		level = LOG_MSG;
	log_sink.level = level > LOG_DEBUG ? LOG_DEBUG : level;
}

int log_level(void)
{
	return log_sink.level;
}

int log_open(int dir_fd, const char *name)
{
	int fd = STDERR_FILENO;
	enum sink sink = SINK_TERMINAL;

	if (name && !strcmp(name, "-")) {
		fd = STDOUT_FILENO;
	} else if (name) {
		/* O_APPEND: forked children write to the same file. */
		fd = openat(dir_fd, name, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
			    0600);
		if (fd < 0)
			return fail_errno("cannot create the log file %s", name);
		sink = SINK_FILE;
	}
	if (log_sink.sink == SINK_FILE)
		close(log_sink.fd);
	log_sink.fd = fd;
	log_sink.sink = sink;
	clock_gettime(CLOCK_MONOTONIC, &log_sink.start);
	flush_early();
	return 0;
}

void log_close(void)
{
	if (log_sink.sink == SINK_FILE)
		close(log_sink.fd);
	log_sink.fd = STDERR_FILENO;
	log_sink.sink = SINK_TERMINAL;
	flush_early();
}

int log_fd(void)
{
	return log_sink.fd;
}

const char *log_first_error(void)
{
	return log_sink.first_error;
}

long long log_scope_id(const char *what)
{
	for (const struct log_scope *scope = innermost; scope; scope = scope->up)
		if (!strcmp(scope->what, what))
			return scope->id;
	return -1;
}

bool log_scope_is(const char *what)
{
	return innermost && !strcmp(innermost->what, what);
}

void log_scope_enter(struct log_scope *scope)
{
	scope->up = innermost;
	innermost = scope;
}

void log_scope_leave(struct log_scope *scope)
{
	innermost = scope->up;
}
