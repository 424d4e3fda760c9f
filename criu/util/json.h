/*
 * Writing JSON (RFC 8259), one member a line. Commas, indentation and escapes are this file's business; that begins and
 * ends match, and that members of objects have keys, is the caller's. Errors of writing stay in the stream (ferror(3)).
 */
#ifndef CRIU_UTIL_JSON_H
#define CRIU_UTIL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "util/macros.h"

struct json {
	FILE *out; /* borrowed */
	unsigned int depth;
	bool filled; /* something stands before the next value of this level */
	bool inside; /* of an inline object or array: all on one line */
};

/* @key: NULL in arrays, and for the outermost value. */
void json_object(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array(struct json *json, const char *key);
void json_array_end(struct json *json);

/** json_line, json_line_end - an object whose members stand on one line. */
void json_line(struct json *json, const char *key);
void json_line_end(struct json *json);

/** json_string - @text, see escape_json(); NULL: null. */
void json_string(struct json *json, const char *key, const char *text);

/** json_bytes - likewise, in an object; if it is not UTF-8, a second member KEY_hex has its bytes. */
void json_bytes(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/** json_number_or_null - null if negative. */
void json_number_or_null(struct json *json, const char *key, int64_t value);

/** json_end - the end of the last line. */
void json_end(struct json *json);

#endif
