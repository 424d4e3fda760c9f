#include <stdlib.h>

#include "util/json.h"
#include "util/test.h"

static void test_document(void)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct json json = { .out = out };

	json_object(&json, NULL);
	json_number(&json, "number", UINT64_MAX);
	json_number_or_null(&json, "unknown", -1);
	json_array(&json, "empty");
	json_array_end(&json);
	json_array(&json, "list");
	json_line(&json, NULL);
	json_bytes(&json, "name", "a\"\xff");
	json_bool(&json, "good", true);
	json_line_end(&json);
	json_number(&json, NULL, 1);
	json_string(&json, NULL, NULL);
	json_array_end(&json);
	json_object(&json, "inner");
	json_object_end(&json);
	json_object_end(&json);
	json_end(&json);
	fclose(out);
	CHECK_STR(text, "{\n"
			"  \"number\": 18446744073709551615,\n"
			"  \"unknown\": null,\n"
			"  \"empty\": [],\n"
			"  \"list\": [\n"
			"    {\"name\": \"a\\\"\xef\xbf\xbd\", \"name_hex\": \"6122ff\", \"good\": true},\n"
			"    1,\n"
			"    null\n"
			"  ],\n"
			"  \"inner\": {}\n"
			"}\n");
	free(text);
}

int main(void)
{
	test_document();
	return test_end();
}
