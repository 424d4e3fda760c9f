/*
 * What a unit test needs: checks that count, and the summary line that
 * scripts/run-unit adds up. A test is one program; main() ends with
 * `return test_end();`.
 */
#ifndef CRIU_UTIL_TEST_H
#define CRIU_UTIL_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct {
	int passed, failed, skipped;
} test_counts;

static inline bool test_check(bool good, const char *file, int line, const char *what)
{
	if (good) {
		test_counts.passed++;
	} else {
		test_counts.failed++;
		printf("%s:%d: failed: %s\n", file, line, what);
	}
	return good;
}

static inline bool test_check_eq(long long a, long long b, const char *file, int line, const char *what)
{
	if (!test_check(a == b, file, line, what))
		printf("\tleft %lld (%#llx), right %lld (%#llx)\n", a, a, b, b);
	return a == b;
}

static inline bool test_check_str(const char *a, const char *b, const char *file, int line, const char *what)
{
	bool equal = a && b ? !strcmp(a, b) : a == b;

	if (!test_check(equal, file, line, what))
		printf("\tleft \"%s\", right \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
	return equal;
}

#define CHECK(cond)	test_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_EQ(a, b)	test_check_eq((long long)(a), (long long)(b), __FILE__, __LINE__, #a " == " #b)
#define CHECK_STR(a, b) test_check_str((a), (b), __FILE__, __LINE__, #a " is " #b)

/* What could not be tried here, and why. */
#define TEST_SKIP(reason)                                                                                              \
	do {                                                                                                           \
		test_counts.skipped++;                                                                                 \
		printf("skipped: %s\n", (reason));                                                                     \
	} while (0)

static inline int test_end(void)
{
	printf("%d passed, %d failed, %d skipped\n", test_counts.passed, test_counts.failed, test_counts.skipped);
	return test_counts.failed ? 1 : 0;
}

#endif
