/* The report for programs. The schema is in Documentation/inspect.md: names stay, new ones may come. */
#include "commands/inspect.h"
#include "util/json.h"

#define SCHEMA_VERSION 1

static void put_source(struct json *json, const struct report *report)
{
	json_line(json, "source");
	json_string(json, "type", report->images_dir ? "images" : "live");
	if (report->images_dir)
		json_bytes(json, "directory", report->images_dir);
	else
		json_number(json, "pid", report->root);
	json_line_end(json);
}

static void put_task(struct json *json, const struct report_task *task)
{
	json_line(json, NULL);
	json_number(json, "pid", task->pid);
	json_number(json, "ppid", task->ppid);
	json_bytes(json, "comm", task->comm);
	json_string(json, "state", task->state);
	json_array(json, "threads");
	for (size_t i = 0; i < task->n_threads; i++)
		json_number(json, NULL, task->threads[i]);
	json_array_end(json);
	json_line_end(json);
}

static void put_holder(struct json *json, const struct report_holder *holder)
{
	json_line(json, NULL);
	json_number(json, "pid", holder->pid);
	json_bytes(json, "comm", holder->comm);
	json_bool(json, "outside", holder->outside);
	json_string(json, "type", holder->fd < 0 ? "mapping" : holder->in_flight ? "in-flight" : "fd");
	if (holder->fd < 0) {
		json_number(json, "start", holder->start);
		json_number(json, "end", holder->end);
	} else {
		json_number(json, "fd", holder->fd);
		if (holder->thread)
			json_number(json, "thread", holder->thread);
	}
	json_string(json, "access", holder->access);
	json_line_end(json);
}

static void put_object(struct json *json, const struct report_object *object)
{
	json_object(json, NULL);
	json_number(json, "id", object->id);
	json_string(json, "kind", object->kind);
	json_bytes(json, "name", object->name);
	json_string(json, "filesystem", object->filesystem);
	json_number(json, "size_bytes", object->size_bytes);
	json_number_or_null(json, "allocated_bytes", object->allocated_bytes);
	json_number_or_null(json, "resident_bytes", object->resident_bytes);
	json_string(json, "decision", decision_words[object->decision]);
	json_string(json, "reason", object->reason);
	json_array(json, "holders");
	for (size_t i = 0; i < object->holders.n; i++)
		put_holder(json, &object->holders.data[i]);
	json_array_end(json);
	json_object_end(json);
}

static void put_refusal(struct json *json, const struct report_refusal *refusal)
{
	json_line(json, NULL);
	json_string(json, "text", refusal->text);
	json_number_or_null(json, "task", refusal->task ? refusal->task : -1);
	json_number_or_null(json, "object", refusal->object ? (int64_t)refusal->object : -1);
	json_line_end(json);
}

static void put_unknown(struct json *json, const struct report_unknown *unknown)
{
	json_line(json, NULL);
	json_string(json, "word", unknown->word);
	json_string(json, "text", unknown->text);
	json_line_end(json);
}

void inspect_json(const struct report *report, FILE *out)
{
	struct json json = { .out = out };
	size_t n_unknowns;
	const struct report_unknown *unknowns = report_unknowns(report, &n_unknowns);

	json_object(&json, NULL);
	json_number(&json, "version", SCHEMA_VERSION);
	put_source(&json, report);
	json_bool(&json, "ok", !report->refusals.n);
	json_array(&json, "tasks");
	for (size_t i = 0; i < report->tasks.n; i++)
		put_task(&json, &report->tasks.data[i]);
	json_array_end(&json);
	json_array(&json, "objects");
	for (size_t i = 0; i < report->objects.n; i++)
		put_object(&json, report->objects.data[i]);
	json_array_end(&json);
	json_array(&json, "refusals");
	for (size_t i = 0; i < report->refusals.n; i++)
		put_refusal(&json, &report->refusals.data[i]);
	json_array_end(&json);
	json_array(&json, "unknown");
	for (size_t i = 0; i < n_unknowns; i++)
		put_unknown(&json, &unknowns[i]);
	json_array_end(&json);
	json_object_end(&json);
	json_end(&json);
}
