#include <limits.h>
#include <string.h>

#include "kernel/proc-scan.h"
#include "util/mem.h"

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return UINT_MAX;
}

const char *scan_number(const char *p, unsigned int base, uint64_t *ret)
{
	uint64_t max = UINT64_MAX / base;
	uint64_t value = 0;
	unsigned int digit;

	if (!p || digit_value(*p) >= base)
		return NULL;
	while ((digit = digit_value(*p)) < base) {
		if (value > max || value * base > UINT64_MAX - digit)
			return NULL;
		value = value * base + digit;
		p++;
	}
	*ret = value;
	return p;
}

const char *scan_int(const char *p, int *ret)
{
	bool negative = p && *p == '-';
	uint64_t value;

	p = scan_number(negative ? p + 1 : p, 10, &value);
	if (!p || value > (uint64_t)INT_MAX + negative)
		return NULL;
	*ret = negative ? (int)-(int64_t)value : (int)value;
	return p;
}

const char *scan_key(const char *p, const char *key)
{
	while (*key && *p == *key) {
		p++;
		key++;
	}
	if (*key || *p != ':')
		return NULL;
	return skip_blanks(p + 1);
}

const char *next_line(const char *p)
{
	p = strchr(p, '\n');
	return p ? p + 1 : NULL;
}

static bool is_octal(char c, char max)
{
	return c >= '0' && c <= max;
}

char *unescape(const char *p, const char *end)
{
	char *text = xalloc(end - p + 1);
	char *out = text;

	while (p < end) {
		if (*p == '\\' && end - p >= 4 && is_octal(p[1], '3') && is_octal(p[2], '7') && is_octal(p[3], '7')) {
			*out++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 4;
		} else {
			*out++ = *p++;
		}
	}
	return text;
}
