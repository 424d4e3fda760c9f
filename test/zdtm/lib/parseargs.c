#include <limits.h>

#include "zdtmtst.h"

#pragma weak test_doc
#pragma weak test_author

extern const struct test_option *const __start_test_options[];
extern const struct test_option *const __stop_test_options[];

static const char *const type_names[] = {
	[TEST_OPTION_bool] = "[=BOOL]", [TEST_OPTION_int] = "=NUMBER",	 [TEST_OPTION_uint] = "=NUMBER",
	[TEST_OPTION_long] = "=NUMBER", [TEST_OPTION_ulong] = "=NUMBER", [TEST_OPTION_string] = "=STRING",
};

static void help(const char *prog)
{
	const struct test_option *const *opt;

	if (&test_doc && test_doc)
		printf("%s\n", test_doc);
	if (&test_author && test_author)
		printf("Author: %s\n", test_author);
	printf("Usage: %s options\n", prog);
	for (opt = __start_test_options; opt < __stop_test_options; opt++)
		printf("  --%s%s\t%s%s\n", (*opt)->name, type_names[(*opt)->type], (*opt)->doc,
		       (*opt)->required ? " (required)" : "");
}

static int parse_bool(const char *value, bool *ret)
{
	static const char *const yes[] = { "on", "yes", "true" };
	static const char *const no[] = { "off", "no", "false" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!value || !strcmp(value, yes[i])) {
			*ret = true;
			return 0;
		}
		if (!strcmp(value, no[i])) {
			*ret = false;
			return 0;
		}
	}
	return -1;
}

static int parse_signed(const char *value, long min, long max, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(value, &end, 0);
	return errno || end == value || *end || *ret < min || *ret > max ? -1 : 0;
}

static int parse_unsigned(const char *value, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(value, &end, 0);
	return errno || end == value || *end || *value == '-' || *ret > max ? -1 : 0;
}

static int set_option(const struct test_option *opt, char *value)
{
	unsigned long u;
	long l;

	if (opt->type == TEST_OPTION_bool)
		return parse_bool(value, opt->variable);
	if (!value)
		return -1;

	switch (opt->type) {
	case TEST_OPTION_int:
		if (parse_signed(value, INT_MIN, INT_MAX, &l))
			return -1;
		*(int *)opt->variable = l;
		return 0;
	case TEST_OPTION_long:
		return parse_signed(value, LONG_MIN, LONG_MAX, opt->variable);
	case TEST_OPTION_uint:
		if (parse_unsigned(value, UINT_MAX, &u))
			return -1;
		*(unsigned *)opt->variable = u;
		return 0;
	case TEST_OPTION_ulong:
		return parse_unsigned(value, ULONG_MAX, opt->variable);
	default:
		*(char **)opt->variable = value;
		return 0;
	}
}

static const struct test_option *find_option(const char *name, size_t len)
{
	const struct test_option *const *opt;

	for (opt = __start_test_options; opt < __stop_test_options; opt++)
		if (strlen((*opt)->name) == len && !memcmp((*opt)->name, name, len))
			return *opt;
	return NULL;
}

static int was_given(int argc, char **argv, const struct test_option *wanted)
{
	int i;

	for (i = 1; i < argc; i++)
		if (find_option(argv[i] + 2, strcspn(argv[i] + 2, "=")) == wanted)
			return 1;
	return 0;
}

void parseargs(int argc, char **argv)
{
	const struct test_option *const *it;
	int i;

	for (i = 1; i < argc; i++) {
		const struct test_option *opt = NULL;
		char *value;

		if (!strcmp(argv[i], "--help")) {
			help(argv[0]);
			exit(0);
		}

		value = strchr(argv[i], '=');
		if (!strncmp(argv[i], "--", 2))
			opt = find_option(argv[i] + 2, strcspn(argv[i] + 2, "="));
		if (!opt || set_option(opt, value ? value + 1 : NULL)) {
			fprintf(stderr, "%s: %s: %s\n", argv[0], argv[i], opt ? "bad value" : "unknown option");
			exit(1);
		}
	}

	for (it = __start_test_options; it < __stop_test_options; it++) {
		if ((*it)->required && !was_given(argc, argv, *it)) {
			fprintf(stderr, "%s: --%s is required\n", argv[0], (*it)->name);
			exit(1);
		}
	}
}
