#include <inttypes.h>

#include "util/escape.h"
#include "util/json.h"

/* Where the next value stands, and its key. */
static void begin_value(struct json *json, const char *key)
{
	if (json->filled)
		fputs(json->inside ? ", " : ",", json->out);
	if (!json->inside && (json->depth || json->filled))
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
	if (key) {
		fputc('"', json->out);
		escape_json(json->out, key);
		fputs("\": ", json->out);
	}
	json->filled = true;
}

static void begin_level(struct json *json, const char *key, char bracket)
{
	begin_value(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->filled = false;
}

static void end_level(struct json *json, char bracket)
{
	json->depth--;
	if (json->filled && !json->inside)
		fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
	fputc(bracket, json->out);
	json->filled = true;
}

void json_object(struct json *json, const char *key)
{
	begin_level(json, key, '{');
}

void json_object_end(struct json *json)
{
	end_level(json, '}');
}

void json_array(struct json *json, const char *key)
{
	begin_level(json, key, '[');
}

void json_array_end(struct json *json)
{
	end_level(json, ']');
}

void json_line(struct json *json, const char *key)
{
	begin_level(json, key, '{');
	json->inside = true;
}

void json_line_end(struct json *json)
{
	end_level(json, '}');
	json->inside = false;
}

void json_string(struct json *json, const char *key, const char *text)
{
	if (!text) {
		json_null(json, key);
		return;
	}
	begin_value(json, key);
	fputc('"', json->out);
	escape_json(json->out, text);
	fputc('"', json->out);
}

static void put_bytes(struct json *json, const char *key, const char *text)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_hex", key);
	begin_value(json, name);
	fputc('"', json->out);
	for (; *text; text++)
		fprintf(json->out, "%02x", (unsigned char)*text);
	fputc('"', json->out);
}

void json_bytes(struct json *json, const char *key, const char *text)
{
	json_string(json, key, text);
	if (text && !utf8_is_valid(text))
		put_bytes(json, key, text);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	fprintf(json->out, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	begin_value(json, key);
	fputs("null", json->out);
}

void json_number_or_null(struct json *json, const char *key, int64_t value)
{
	if (value < 0)
		json_null(json, key);
	else
		json_number(json, key, (uint64_t)value);
}

void json_end(struct json *json)
{
	fputc('\n', json->out);
}
