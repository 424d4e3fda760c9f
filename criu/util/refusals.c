#include "util/refusals.h"

bool refusals_is_new(struct refusals *refusals, char *text)
{
	uint64_t sum = 14695981039346656037ULL; /* FNV-1a */
	bool is_new;

	for (const char *c = text; *c; c++)
		sum = (sum ^ (unsigned char)*c) * 1099511628211ULL;
	free(text);
	is_new = sum != refusals->last;
	refusals->last = sum;
	return is_new;
}

void refusals_keep(struct refusals *refusals, uint32_t object, char *text)
{
	VEC_PUSH(&refusals->kept, ((struct refusal){ .text = text, .task = log_scope_id("task"), .object = object }));
}

void refuse_failed(struct refusals *refusals)
{
	if (refusals->keep)
		refusals_keep(refusals, 0, log_held_error());
	refusals->n++;
}

void refusals_free(struct refusals *refusals)
{
	for (size_t i = 0; i < refusals->kept.n; i++)
		free(refusals->kept.data[i].text);
	VEC_FREE(&refusals->kept);
	refusals->n = 0;
}
