/*
 * What stands in the way of a dump. The plan collects every reason before it
 * gives up, each said once as an error line with the task, the object and the
 * option that helps, so that a user mends all of them in one go. Whoever only
 * wants to know gets them as texts.
 *
 * Some reasons pass: the tree does away with them itself if it runs on, as when it accepts a connection that waits. If
 * there are no others, it is worth another try, so they are said only when it is decided that there is none.
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

struct passing_refusal {
	char *text; /* owned */
	const char *file;
	int line;
};

struct refusals {
	size_t n;
	size_t n_passing; /* of the n */
	bool keep;	  /* the texts go here, not to the log */
	VEC(struct refusal) kept;
	VEC(struct passing_refusal) passing; /* not in the log yet */
	struct hash texts;		     /* by checksum: each is said once */
	struct hash silent;		     /* by pid, see refusals_silence() */
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

/** refuse_passing - one more reason, which the tree may do away with itself if it runs on for a moment. */
#define refuse_passing(refusals, fmt, ...)                                                                             \
	do {                                                                                                           \
		if (refusals_add((refusals), log_text(fmt, ##__VA_ARGS__)))                                            \
			refusals_add_passing((refusals), log_text(fmt, ##__VA_ARGS__), __FILE__, __LINE__);            \
	} while (0)

/** refusals_may_pass - are there reasons, and all of them of that kind? */
bool refusals_may_pass(const struct refusals *refusals);

/** refusals_say_passing - to the log with them: there will be no other try. */
void refusals_say_passing(struct refusals *refusals);

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

/** refusals_add_passing - said from @file, @line; takes @text. */
void refusals_add_passing(struct refusals *refusals, char *text, const char *file, int line);

void refusals_free(struct refusals *refusals);

#endif
