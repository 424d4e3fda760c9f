/*
 * What stands in the way of a dump. The plan collects every reason before it
 * gives up, each said once as an error line with the task, the object and the
 * option that helps, so that a user mends all of them in one go. Whoever only
 * wants to know gets them as texts.
 */
#ifndef CRIU_UTIL_REFUSALS_H
#define CRIU_UTIL_REFUSALS_H

#include "util/log.h"
#include "util/mem.h"

struct refusal {
	char *text;	 /* with the scopes: "task 41: fd 7: ..."; owned */
	long long task;	 /* of the scopes; -1: none */
	uint32_t object; /* id of the inode it is about; 0: none */
};

struct refusals {
	size_t n;
	bool keep;	 /* the texts go here, not to the log */
	bool unanswered; /* the tasks can't be asked anything: what only they can tell is not found out */
	VEC(struct refusal) kept;
	uint64_t last; /* of the newest text, see refusals_is_new() */
};

/** refuse - one more reason; refuse_object: because of the inode with id @object. */
#define refuse(refusals, fmt, ...) refuse_object(refusals, 0, fmt, ##__VA_ARGS__)
#define refuse_object(refusals, object, fmt, ...)                                                                      \
	do {                                                                                                           \
		if (!refusals_is_new((refusals), log_text(fmt, ##__VA_ARGS__)))                                        \
			break;                                                                                         \
		if ((refusals)->keep)                                                                                  \
			refusals_keep((refusals), (object), log_text(fmt, ##__VA_ARGS__));                             \
		else                                                                                                   \
			pr_err(fmt, ##__VA_ARGS__);                                                                    \
		(refusals)->n++;                                                                                       \
	} while (0)

/** refuse_failed - an error that was just logged is a reason; with @refusals->keep it was held (log_hold_errors()). */
void refuse_failed(struct refusals *refusals);

/** refusals_is_new - is it another one than that before it? Takes @text. */
bool refusals_is_new(struct refusals *refusals, char *text);

/** refusals_keep - add to the texts; takes @text. */
void refusals_keep(struct refusals *refusals, uint32_t object, char *text);

void refusals_free(struct refusals *refusals);

#endif
