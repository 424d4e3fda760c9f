/* Macros that feed damaged text to a parser of /proc, for unit tests. */
#ifndef CRIU_KERNEL_TEST_PARSE_H
#define CRIU_KERNEL_TEST_PARSE_H

#include <fcntl.h>
#include <unistd.h>

#include "util/log.h"
#include "util/mem.h"
#include "util/test.h"

/* Thousands of refusals are wanted: they are logged, but not shown. */
static inline void test_parse_quietly(void)
{
	auto_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO);
	CHECK(!log_open(AT_FDCWD, NULL));
}

/* Run @parse on every proper prefix of @text; returns how many were accepted. */
#define PREFIXES_ACCEPTED(text, type, parse, release)                                                                  \
	({                                                                                                             \
		size_t bytes_ = strlen(text);                                                                          \
		size_t accepted_ = 0;                                                                                  \
		for (size_t n_ = 0; n_ < bytes_; n_++) {                                                               \
			auto_free char *cut_ = xalloc(n_ + 1);                                                         \
			type result_ = { 0 };                                                                          \
			memcpy(cut_, text, n_);                                                                        \
			if (!parse(cut_, &result_)) {                                                                  \
				accepted_++;                                                                           \
				release(&result_);                                                                     \
			}                                                                                              \
		}                                                                                                      \
		accepted_;                                                                                             \
	})

/* Releases a result that owns nothing. */
static inline void nothing(const void *result)
{
}

/* Overwrite every byte with some that matter to the scanners: nothing may crash. */
#define POKE(text, type, parse, release)                                                                               \
	do {                                                                                                           \
		static const char bytes_[] = { '\n', ' ', '-', ':', ')', '9', 'f', '\\', -1 };                         \
		for (size_t i_ = 0; i_ < strlen(text); i_++) {                                                         \
			for (size_t j_ = 0; j_ < sizeof(bytes_); j_++) {                                               \
				auto_free char *poked_ = xstrdup(text);                                                \
				type result_ = { 0 };                                                                  \
				poked_[i_] = bytes_[j_];                                                               \
				if (!parse(poked_, &result_))                                                          \
					release(&result_);                                                             \
			}                                                                                              \
		}                                                                                                      \
	} while (0)

#endif
