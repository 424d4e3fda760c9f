/*
 * Configuration files: one option per line, without dashes, and perhaps one
 * value behind blanks or an equals sign.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "options-table.h"
#include "util/log.h"

/* More than any sane file, and a bound for what a device would give. */
#define CONFIG_MAX_BYTES (1 << 20)

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

static const char *word_end(const char *p, const char *end, const char *stops)
{
	while (p < end && !strchr(stops, *p))
		p++;
	return p;
}

static bool only_comment(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return p == end || *p == '#';
}

/* A value in double quotes, the opening one behind us; NULL without a closing one. */
static const char *scan_quoted(const char *p, const char *end, char *out)
{
	while (p < end && *p != '"') {
		if (*p == '\\' && p + 1 < end && p[1] == '"')
			p++;
		*out++ = *p++;
	}
	return p < end ? p + 1 : NULL;
}

/* Writes the value of a line to @out, NUL-terminated by the caller's zeroes. */
static const char *scan_value(const char *p, const char *end, char *out)
{
	const char *stop;

	if (p < end && *p == '"')
		return scan_quoted(p + 1, end, out);
	stop = word_end(p, end, " \t\r");
	memcpy(out, p, stop - p);
	return stop;
}

/* One option; @p is not blank. The word is never longer than the line and its dashes. */
static int parse_line(const char *p, const char *end, struct arena *arena, option_words *words)
{
	const char *name_end = word_end(p, end, " \t\r=");
	size_t name_bytes = name_end - p;
	char *word = arena_alloc(arena, end - p + 4);
	bool has_equals = name_end < end && *name_end == '=';

	if (!name_bytes || *p == '-')
		return -EINVAL;
	memcpy(word, "--", 2);
	memcpy(word + 2, p, name_bytes);
	p = has_equals ? name_end + 1 : skip_blanks(name_end, end);
	if (has_equals || !only_comment(p, end)) {
		word[2 + name_bytes] = '=';
		p = scan_value(p, end, word + 3 + name_bytes);
		if (!p || (p < end && !strchr(" \t\r", *p)) || !only_comment(p, end))
			return -EINVAL;
	}
	VEC_PUSH(words, word);
	return 0;
}

int options_config_parse(const char *name, const char *text, struct arena *arena, option_words *words)
{
	int line_no = 1;

	while (*text) {
		const char *end = strchrnul(text, '\n');
		const char *p = skip_blanks(text, end);

		if (!only_comment(p, end) && parse_line(p, end, arena, words)) {
			pr_err("%s:%d: expected OPTION, OPTION VALUE or OPTION \"VALUE\": %.*s", name, line_no,
			       (int)(end - p), p);
			return -EINVAL;
		}
		text = *end ? end + 1 : end;
		line_no++;
	}
	return 0;
}

int options_config_read(const char *path, struct arena *arena, option_words *words)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t bytes = 0;
	char *text;
	ssize_t n;

	if (fd < 0)
		return 1;
	text = arena_alloc(arena, CONFIG_MAX_BYTES + 1);
	while ((n = read(fd, text + bytes, CONFIG_MAX_BYTES - bytes)) > 0)
		bytes += n;
	if (n < 0)
		return fail_errno("cannot read the configuration file %s", path);
	if (bytes == CONFIG_MAX_BYTES)
		return fail(EFBIG, "configuration file %s", path);
	return options_config_parse(path, text, arena, words);
}
