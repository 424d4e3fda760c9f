/*
 * Scanning of /proc text, shared by the parsers. sscanf and strtoull are too
 * slow for smaps of a large tree and too lenient for input nobody vouches for.
 */
#ifndef CRIU_KERNEL_PROC_SCAN_H
#define CRIU_KERNEL_PROC_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "util/macros.h"

/*
 * scan_number - one unsigned number in base 8, 10 or 16, no sign, no prefix
 * Return: behind its last digit; NULL if there is none, or it needs over 64 bits.
 */
const char *scan_number(const char *p, unsigned int base, uint64_t *ret);

/** scan_int - decimal with an optional minus sign that fits an int; NULL if not. */
const char *scan_int(const char *p, int *ret);

/** scan_char - behind @c if it is the next character, else NULL; NULL is passed on. */
static inline const char *scan_char(const char *p, char c)
{
	return p && *p == c ? p + 1 : NULL;
}

static inline const char *skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/*
 * scan_key - if the line at @p begins with @key followed by a colon, return
 * the text behind colon and blanks; else NULL.
 */
const char *scan_key(const char *p, const char *key);

/*
 * next_line - the line after @p. NULL if the line at @p has no end: the kernel
 * always writes one, so the text was cut off.
 */
const char *next_line(const char *p);

/** unescape - copy up to @end with \ooo undone, owned by the caller. */
char *unescape(const char *p, const char *end);

#endif
