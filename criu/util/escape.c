#include <string.h>

#include "util/escape.h"

/* Of a character that begins with @first; 0: none does. */
static size_t length_by(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Too long forms, surrogates and what is beyond Unicode (RFC 3629). */
static bool is_character(unsigned int value, size_t bytes)
{
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	return value >= least[bytes] && value <= 0x10ffff && !(value >= 0xd800 && value <= 0xdfff);
}

size_t utf8_decode(const char *text, unsigned int *ret, bool *ret_valid)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t n = length_by(bytes[0]);
	unsigned int value = n > 1 ? bytes[0] & (0x7fU >> n) : bytes[0];

	*ret = bytes[0];
	*ret_valid = n == 1;
	for (size_t i = 1; i < n; i++) {
		/* Also at the end of the text. */
		if ((bytes[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (n < 2 || !is_character(value, n))
		return 1;
	*ret = value;
	*ret_valid = true;
	return n;
}

bool utf8_is_valid(const char *text)
{
	unsigned int value;
	bool valid = true;

	while (*text && valid)
		text += utf8_decode(text, &value, &valid);
	return valid;
}

static void put_replacement(FILE *out)
{
	fputs("\xef\xbf\xbd", out);
}

void escape_json(FILE *out, const char *text)
{
	unsigned int value;
	bool valid;

	while (*text) {
		size_t n = utf8_decode(text, &value, &valid);

		if (!valid)
			put_replacement(out);
		else if (value == '"' || value == '\\')
			fprintf(out, "\\%c", (int)value);
		else if (value < ' ' || value == 0x7f)
			fprintf(out, "\\u%04x", value);
		else
			fwrite(text, 1, n, out);
		text += n;
	}
}

/* XML 1.0, production 2; control characters that may be there but should not are left out, too. */
static bool is_for_xml(unsigned int value)
{
	return value == '\t' || value == '\n' || (value >= ' ' && value < 0x7f) ||
	       (value >= 0xa0 && (value & 0xfffe) != 0xfffe && !(value >= 0xfdd0 && value <= 0xfdef));
}

void escape_xml(FILE *out, const char *text)
{
	unsigned int value;
	bool valid;

	while (*text) {
		size_t n = utf8_decode(text, &value, &valid);

		if (!valid || !is_for_xml(value))
			put_replacement(out);
		else if (value < 0x80 && strchr("<>&\"'\t\n", (int)value))
			fprintf(out, "&#%u;", value);
		else
			fwrite(text, 1, n, out);
		text += n;
	}
}

/* Characters of control, and those that turn the direction of what follows. */
static bool is_for_terminal(unsigned int value)
{
	return (value >= ' ' && value < 0x7f) ||
	       (value >= 0xa0 && !(value >= 0x200b && value <= 0x200f) && !(value >= 0x2028 && value <= 0x202e) &&
		!(value >= 0x2060 && value <= 0x206f) && value != 0xfeff && value != 0xad);
}

void escape_terminal(FILE *out, const char *text)
{
	unsigned int value;
	bool valid;

	while (*text) {
		size_t n = utf8_decode(text, &value, &valid);

		if (valid && is_for_terminal(value) && value != '\\')
			fwrite(text, 1, n, out);
		else
			for (size_t i = 0; i < n; i++)
				fprintf(out, "\\x%02x", (unsigned char)text[i]);
		text += n;
	}
}
