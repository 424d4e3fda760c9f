#include <errno.h>

#include "util/refusals.h"

bool refusals_add(struct refusals *refusals, char *text)
{
	uint64_t sum = 14695981039346656037ULL; /* FNV-1a */

	for (const char *c = text; *c; c++)
		sum = (sum ^ (unsigned char)*c) * 1099511628211ULL;
	free(text);
	if (log_scope_is("task") || log_scope_is("thread"))
		refusals_silence(refusals, (pid_t)log_scope_id("task"));
	if (hash_put(&refusals->texts, sum, 0, refusals))
		return false;
	refusals->n++;
	return true;
}

void refusals_silence(struct refusals *refusals, pid_t pid)
{
	hash_put(&refusals->silent, (uint64_t)pid, 0, refusals);
}

bool refusals_is_silent(const struct refusals *refusals, pid_t pid)
{
	return hash_get(&refusals->silent, (uint64_t)pid, 0);
}

void refusals_keep(struct refusals *refusals, uint32_t object, char *text)
{
	VEC_PUSH(&refusals->kept, ((struct refusal){ .text = text, .task = log_scope_id("task"), .object = object }));
}

void refusals_add_passing(struct refusals *refusals, char *text, const char *file, int line)
{
	refusals->n_passing++;
	if (refusals->keep)
		refusals_keep(refusals, 0, text);
	else
		VEC_PUSH(&refusals->passing, ((struct passing_refusal){ text, file, line }));
}

bool refusals_may_pass(const struct refusals *refusals)
{
	return refusals->n && refusals->n == refusals->n_passing;
}

void refusals_say_passing(struct refusals *refusals)
{
	for (size_t i = 0; i < refusals->passing.n; i++) {
		const struct passing_refusal *refusal = &refusals->passing.data[i];

		log_print(LOG_ERROR, refusal->file, refusal->line, "%s", refusal->text);
	}
}

void refuse_failed(struct refusals *refusals)
{
	if (refusals->keep)
		refusals_keep(refusals, 0, log_held_error());
	refusals->n++;
}

int refuse_if_refusal(struct refusals *refusals, int err)
{
	if (err != -EBUSY && err != -ENOTSUP)
		return err;
	refuse_failed(refusals);
	return 0;
}

void refusals_free(struct refusals *refusals)
{
	for (size_t i = 0; i < refusals->kept.n; i++)
		free(refusals->kept.data[i].text);
	for (size_t i = 0; i < refusals->passing.n; i++)
		free(refusals->passing.data[i].text);
	VEC_FREE(&refusals->kept);
	VEC_FREE(&refusals->passing);
	hash_free(&refusals->texts);
	hash_free(&refusals->silent);
	refusals->n = refusals->n_passing = 0;
}
