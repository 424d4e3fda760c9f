/*
 * What stands in the way of a dump. The plan collects every reason before it
 * gives up, each said once as an error line with the task, the object and the
 * option that helps, so that a user mends all of them in one go.
 */
#ifndef CRIU_UTIL_REFUSALS_H
#define CRIU_UTIL_REFUSALS_H

#include "util/log.h"

struct refusals {
	size_t n;
};

#define refuse(refusals, fmt, ...)                                                                                     \
	do {                                                                                                           \
		(refusals)->n++;                                                                                       \
		pr_err(fmt, ##__VA_ARGS__);                                                                            \
	} while (0)

#endif
