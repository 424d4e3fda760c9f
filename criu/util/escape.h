/*
 * Names of files and tasks are bytes that anybody may have chosen. Before they become part of a
 * text with a syntax of its own they are taken apart as UTF-8 and put together in its terms.
 */
#ifndef CRIU_UTIL_ESCAPE_H
#define CRIU_UTIL_ESCAPE_H

#include <stdbool.h>
#include <stdio.h>

#include "util/macros.h"

/* What stands for a byte that is not part of a character, in texts that can't hold it: U+FFFD. */
#define REPLACEMENT_CHARACTER 0xfffdU

/**
 * utf8_decode - the character that @text begins with; @text is not empty
 * @ret_valid: false: the first byte is not the begin of one; the result is its value
 * Return: how many bytes it has, 1 for a byte that is none.
 */
size_t utf8_decode(const char *text, unsigned int *ret, bool *ret_valid);

/** utf8_is_valid - is all of @text UTF-8? */
bool utf8_is_valid(const char *text);

/** escape_json - the inside of a JSON string (RFC 8259), in UTF-8; bytes that are none become U+FFFD. */
void escape_json(FILE *out, const char *text);

/** escape_xml - text or the value of an attribute in XML or HTML; what XML has no way to name becomes U+FFFD. */
void escape_xml(FILE *out, const char *text);

/** escape_terminal - \xNN for each byte that a terminal could take for a command or can't show. */
void escape_terminal(FILE *out, const char *text);

#endif
