/*
 * Objects of images that processes outside the tree held as well. Who that was and whether the content was saved is in
 * external-objects.img; what becomes of it at restore is decided where restore decides it.
 */
#include <string.h>

#include "commands/inspect.h"
#include "mem/external.h"
#include "util/log.h"

/* Anyone may have written an image: what is no access is not shown. */
static const char *recorded_access(const ExternalHolderEntry *holder)
{
	size_t len = strlen(holder->access);

	return len && len <= 4 && strspn(holder->access, "rwxsp-") == len ? holder->access : "?";
}

static void add_outsider(struct report_object *object, const ExternalHolderEntry *holder)
{
	VEC_PUSH(&object->holders, ((struct report_holder){
					   .pid = (pid_t)holder->pid,
					   .comm = holder->comm,
					   .outside = true,
					   .fd = holder->has_fd ? (int)holder->fd : -1,
					   .thread = holder->has_tid ? (pid_t)holder->tid : 0,
					   .start = holder->start,
					   .end = holder->end,
					   .access = recorded_access(holder),
				   }));
}

/* As the live report decides, but for mappings for reading that mprotect(2) could have made writable. */
static bool may_be_noticed(const struct report_object *object)
{
	if (!strcmp(object->kind, "sysv") || !strcmp(object->kind, "anonymous"))
		return true;
	for (size_t i = 0; i < object->holders.n; i++)
		if (report_may_write(&object->holders.data[i]))
			return true;
	return false;
}

static void explain_saved(bool attach, const struct report *report, struct report_object *object)
{
	if (attach) {
		object->decision = DECISION_ATTACH;
		object->reason = "its content is in the images, but restore attaches the tree to the object that those "
				 "outside kept (--external-holders attach), as long as one of them lives";
	} else if (may_be_noticed(object)) {
		object->decision = DECISION_COPY;
		object->reason = "its content is in the images once: restore makes an object of the tree's own, and "
				 "those outside, who shared it, keep the old one";
	} else {
		object->reason = arena_printf(report->arena,
					      "%s; those outside keep the old one, which nobody can tell, for nobody "
					      "had it for writing",
					      object->reason);
	}
}

/* What restore does with it. Refused, if the options want of it what these images can't give. */
static void judge_external(const ExternalObjectEntry *entry, const struct options *options, struct report *report,
			   struct report_object *object)
{
	bool attach;

	if (external_decide(entry, options, &attach)) {
		auto_free char *why = log_held_error();

		object->decision = DECISION_REFUSED;
		object->reason = arena_strdup(report->arena, why);
		report_add_refusal(report, why, 0, object->id);
	} else if (entry->saved) {
		explain_saved(attach, report, object);
	} else {
		object->decision = DECISION_ATTACH;
		object->reason = "its content is not in the images: it stayed with those outside, and restore attaches "
				 "the tree to it again, as long as one of them lives";
	}
}

void inspect_external(const ExternalObjectEntry *entry, const struct options *options, struct report *report,
		      struct report_object *object)
{
	for (size_t i = 0; i < entry->n_holders; i++)
		add_outsider(object, entry->holders[i]);
	judge_external(entry, options, report, object);
}
