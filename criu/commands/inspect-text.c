/* The report for people at a terminal. */
#include <inttypes.h>

#include "commands/inspect.h"
#include "util/escape.h"

/* Holders shown for one object, a line for each task. */
#define TASKS_NAMED 16

static void put_tasks(const struct report *report, FILE *out)
{
	fprintf(out, "\n%8s %8s %8s  %-9s COMMAND\n", "PID", "PPID", "THREADS", "STATE");
	for (size_t i = 0; i < report->tasks.n; i++) {
		const struct report_task *task = &report->tasks.data[i];

		fprintf(out, "%8d %8d %8zu  %-9s ", task->pid, task->ppid, task->n_threads, task->state);
		escape_terminal(out, task->comm);
		fputc('\n', out);
	}
}

static void put_size(const struct report *report, const struct report_object *object, FILE *out)
{
	char buf[32];

	fputs(report_size(object->size_bytes, buf), out);
	if (object->resident_bytes >= 0)
		fprintf(out, ", %s of it in memory", report_size(object->resident_bytes, buf));
	else if (object->allocated_bytes >= 0)
		fprintf(out, ", %s of it %s", report_size(object->allocated_bytes, buf),
			report->images_dir ? "saved" : "allocated");
}

static void put_holder(const struct report_holder *holder, FILE *out)
{
	if (holder->fd < 0)
		fprintf(out, "%" PRIx64 "-%" PRIx64, holder->start, holder->end);
	else
		fprintf(out, "%sfd %d", holder->in_flight ? "in flight at " : "", holder->fd);
	if (holder->thread)
		fprintf(out, " of thread %d", holder->thread);
	fprintf(out, " %s", holder->access);
}

/* Where the holders of the same task as @first end. */
static size_t same_task(const struct report_object *object, size_t first)
{
	size_t end = first + 1;

	while (end < object->holders.n && object->holders.data[end].pid == object->holders.data[first].pid)
		end++;
	return end;
}

static void put_holders(const struct report_object *object, FILE *out)
{
	size_t named = 0, left = 0;

	for (size_t i = 0, end; i < object->holders.n; i = end) {
		const struct report_holder *first = &object->holders.data[i];

		end = same_task(object, i);
		/* Those outside are what one looks for. */
		if (named >= TASKS_NAMED && !first->outside) {
			left++;
			continue;
		}
		named++;
		fprintf(out, "     %s %d (", first->outside ? "OUTSIDE" : "held by", first->pid);
		escape_terminal(out, first->comm);
		fputs("):", out);
		for (size_t j = i; j < end; j++) {
			fputs(j == i ? " " : ", ", out);
			put_holder(&object->holders.data[j], out);
		}
		fputc('\n', out);
	}
	if (left)
		fprintf(out, "     and by more tasks of the tree (%zu places); --json has them all\n", left);
}

static void put_object(const struct report *report, const struct report_object *object, FILE *out)
{
	fprintf(out, "\n%3u. %s ", object->id, report_kind_text(object));
	escape_terminal(out, object->name);
	if (object->filesystem) {
		fputs(" on ", out);
		escape_terminal(out, object->filesystem);
	}
	fputs(": ", out);
	put_size(report, object, out);
	fprintf(out, "\n     %s: ", decision_words[object->decision]);
	/* The reason stands at the end, with all others. */
	escape_terminal(out, object->decision == DECISION_REFUSED ? "see below" : object->reason);
	fputc('\n', out);
	put_holders(object, out);
}

static void put_refusals(const struct report *report, FILE *out)
{
	for (size_t i = 0; i < report->refusals.n; i++) {
		fputs("  - ", out);
		escape_terminal(out, report->refusals.data[i].text);
		fputc('\n', out);
	}
}

static void put_unknowns(const struct report *report, FILE *out)
{
	size_t n;
	const struct report_unknown *unknowns = report_unknowns(report, &n);

	if (n)
		fputs("Known only once the tree is stopped:\n", out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  - %s\n", unknowns[i].text);
}

void inspect_text(const struct report *report, FILE *out)
{
	if (report->images_dir) {
		fputs("Images in ", out);
		escape_terminal(out, report->images_dir);
	} else {
		fprintf(out, "Tree of task %d", report->root);
	}
	fprintf(out, ": %zu processes, %zu shared memory objects\n", report->tasks.n, report->objects.n);
	if (report->tasks.n)
		put_tasks(report, out);
	for (size_t i = 0; i < report->objects.n; i++)
		put_object(report, report->objects.data[i], out);
	fprintf(out, "\n%s%s\n", report_verdict(report), report->refusals.n ? ":" : ".");
	put_refusals(report, out);
	put_unknowns(report, out);
}
