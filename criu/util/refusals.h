/*
 * What stands in the way of a dump. The plan collects every reason before it
 * gives up, each said once as an error line with the task, the object and the
 * option that helps, so that a user mends all of them in one go. Whoever only
 * wants to know gets them as texts.
 */
#ifndef CRIU_UTIL_REFUSALS_H
#define CRIU_UTIL_REFUSALS_H

#include "util/hash.h"
#include "util/log.h"
#include "util/mem.h"

struct refusal {
	char *text;	 /* with the scopes: "task 41: fd 7: ..."; owned */
	long long task;	 /* of the scopes; -1: none */
	uint32_t object; /* id of the inode it is about; 0: none */
};

struct refusals {
	size_t n;
	bool keep; /* the texts go here, not to the log */
	VEC(struct refusal) kept;
	struct hash texts;  /* by checksum: each is said once */
	struct hash silent; /* by pid, see refusals_silence() */
};

/** refuse - one more reason; refuse_object: because of the inode with id @object. */
#define refuse(refusals, fmt, ...) refuse_object(refusals, 0, fmt, ##__VA_ARGS__)
#define refuse_object(refusals, object, fmt, ...)                                                                      \
	do {                                                                                                           \
		if (!refusals_add((refusals), log_text(fmt, ##__VA_ARGS__)))                                           \
			break;                                                                                         \
		if ((refusals)->keep)                                                                                  \
			refusals_keep((refusals), (object), log_text(fmt, ##__VA_ARGS__));                             \
		else                                                                                                   \
			pr_err(fmt, ##__VA_ARGS__);                                                                    \
	} while (0)

/** refuse_failed - an error that was just logged is a reason; with @refusals->keep it was held (log_hold_errors()). */
void refuse_failed(struct refusals *refusals);

/**
 * refuse_if_refusal - an error of reading a task is a reason, too, if it says that something can't be saved
 * @err: 0 or negative errno, just logged
 * Return: 0 if it was (EBUSY, ENOTSUP), so that there may be more to find; else @err.
 */
int must_check refuse_if_refusal(struct refusals *refusals, int err);

/**
 * refusals_silence - task @pid is not to be asked anything: it might not answer, or answer for another
 * So is every task that is refused for what it is, not for one of its descriptors or the like.
 */
void refusals_silence(struct refusals *refusals, pid_t pid);
bool refusals_is_silent(const struct refusals *refusals, pid_t pid);

/** refusals_add - count a reason; false if @text was said already. Takes @text. */
bool refusals_add(struct refusals *refusals, char *text);

/** refusals_keep - add to the texts; takes @text. */
void refusals_keep(struct refusals *refusals, uint32_t object, char *text);

void refusals_free(struct refusals *refusals);

#endif
