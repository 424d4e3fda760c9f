#include <stdlib.h>

#include "util/escape.h"
#include "util/test.h"

static char *text;
static size_t bytes;

static const char *escaped(void (*escape)(FILE *out, const char *text), const char *from)
{
	FILE *out;

	free(text);
	out = open_memstream(&text, &bytes);
	escape(out, from);
	fclose(out);
	return text;
}

static void test_decode(void)
{
	static const char *const good[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = {
		"\x80",
		"\xc3",
		"\xc3(",
		"\xc0\x80",
		"\xe0\x80\x80",
		"\xed\xa0\x80",
		"\xf0\x80\x80\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
		"\xe2\x82",
		"\xf0\x9f\x98",
	};
	unsigned int value;
	bool valid;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CHECK_EQ(utf8_decode(good[i], &value, &valid), strlen(good[i]));
		CHECK(valid);
		CHECK(utf8_is_valid(good[i]));
	}
	CHECK_EQ(value, 0x10ffff);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_EQ(utf8_decode(bad[i], &value, &valid), 1);
		CHECK(!valid);
		CHECK(!utf8_is_valid(bad[i]));
	}
}

static void test_json(void)
{
	CHECK_STR(escaped(escape_json, "plain \xc3\xa4"), "plain \xc3\xa4");
	CHECK_STR(escaped(escape_json, "\"\\\n\x1f\x7f"), "\\\"\\\\\\u000a\\u001f\\u007f");
	CHECK_STR(escaped(escape_json, "a\xff"
				       "b"),
		  "a\xef\xbf\xbd"
		  "b");
}

static void test_xml(void)
{
	CHECK_STR(escaped(escape_xml, "<a b=\"c\" d='e'>&"), "&#60;a b=&#34;c&#34; d=&#39;e&#39;&#62;&#38;");
	CHECK_STR(escaped(escape_xml, "\n"), "&#10;");
	CHECK_STR(escaped(escape_xml, "\x01"
				      "a\x7f\xff"),
		  "\xef\xbf\xbd"
		  "a\xef\xbf\xbd\xef\xbf\xbd");
	/* U+FFFE, U+0085 */
	CHECK_STR(escaped(escape_xml, "\xef\xbf\xbe\xc2\x85"), "\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_STR(escaped(escape_xml, "\xe2\x82\xac"), "\xe2\x82\xac");
}

static void test_terminal(void)
{
	CHECK_STR(escaped(escape_terminal, "a b\xc3\xa4"), "a b\xc3\xa4");
	CHECK_STR(escaped(escape_terminal, "\x1b[2J\n"), "\\x1b[2J\\x0a");
	CHECK_STR(escaped(escape_terminal, "\xc2\x9b"
					   "31m"),
		  "\\xc2\\x9b"
		  "31m");
	CHECK_STR(escaped(escape_terminal, "\xe2\x80\xae"
					   "\\"),
		  "\\xe2\\x80\\xae\\x5c");
	CHECK_STR(escaped(escape_terminal, "\xff"), "\\xff");
}

/* Whatever the bytes, no output may hold what its syntax gives a meaning. */
static void test_any(void)
{
	char name[64];

	srand(1);
	for (int round = 0; round < 2000; round++) {
		size_t n = rand() % (sizeof(name) - 1);

		for (size_t i = 0; i < n; i++)
			name[i] = (char)(rand() % 255 + 1);
		name[n] = '\0';
		if (!CHECK(utf8_is_valid(escaped(escape_json, name))) ||
		    !CHECK(utf8_is_valid(escaped(escape_xml, name)) && !strpbrk(text, "<>\"'")) ||
		    !CHECK(utf8_is_valid(escaped(escape_terminal, name)) && !strpbrk(text, "\x1b\n\r\x7f")))
			return;
	}
}

int main(void)
{
	test_decode();
	test_json();
	test_xml();
	test_terminal();
	test_any();
	free(text);
	return test_end();
}
