/* criu inspect: what would a dump do? Nothing is stopped or changed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "commands/command.h"
#include "commands/inspect.h"
#include "util/log.h"

/* The same as after an error: a dump would fail. */
#define EXIT_REFUSED 1

const char *const decision_words[DECISIONS] = {
	[DECISION_OBJECT] = "shared-object", [DECISION_ATTACH] = "attach",   [DECISION_COPY] = "copy",
	[DECISION_GHOST] = "ghost",	     [DECISION_LINK] = "link-remap", [DECISION_FILE] = "file-system",
	[DECISION_CARRIED] = "carried",	     [DECISION_REFUSED] = "refused",
};

/* --- the report ------------------------------------------------------------------- */

void report_init(struct report *report)
{
	*report = (struct report){ .arena = arena_new() };
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->objects.n; i++)
		VEC_FREE(&report->objects.data[i]->holders);
	VEC_FREE(&report->objects);
	VEC_FREE(&report->tasks);
	VEC_FREE(&report->refusals);
	hash_free(&report->by_pid);
	arena_freep(&report->model_arena);
	arena_free(report->arena);
}

struct report_object *report_add_object(struct report *report)
{
	struct report_object *object = arena_new_of(report->arena, struct report_object);

	object->allocated_bytes = object->resident_bytes = -1;
	object->name = object->reason = "";
	VEC_PUSH(&report->objects, object);
	object->id = report->objects.n;
	return object;
}

void report_add_refusal(struct report *report, const char *text, pid_t task, uint32_t object)
{
	struct report_refusal *refusal = VEC_ADD(&report->refusals);

	refusal->text = arena_strdup(report->arena, text);
	refusal->task = task;
	refusal->object = object;
}

struct report_task *report_add_task(struct report *report, pid_t pid, pid_t ppid, const char *comm, size_t n_threads)
{
	struct report_task *task = VEC_ADD(&report->tasks);

	task->pid = pid;
	task->ppid = ppid;
	task->comm = arena_strdup(report->arena, comm);
	task->threads = arena_array(report->arena, pid_t, n_threads);
	task->n_threads = n_threads;
	hash_put(&report->by_pid, pid, 0, (void *)task->comm);
	return task;
}

const char *report_comm(const struct report *report, pid_t pid)
{
	return hash_get(&report->by_pid, pid, 0) ?: "?";
}

static int compare_holders(const void *left, const void *right)
{
	const struct report_holder *a = left, *b = right;

	if (a->outside != b->outside)
		return a->outside ? 1 : -1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->fd != b->fd)
		return a->fd < b->fd ? -1 : 1;
	return a->start < b->start ? -1 : a->start > b->start;
}

void report_sort_holders(struct report_object *object)
{
	if (object->holders.n)
		qsort(object->holders.data, object->holders.n, sizeof(*object->holders.data), compare_holders);
}

/* --- words for the writers ---------------------------------------------------------- */

const char *report_size(uint64_t bytes, char buf[32])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(buf, 32, "%u bytes", (unsigned int)bytes);
		return buf;
	}
	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	snprintf(buf, 32, "%.*f %s", value < 10 ? 1 : 0, value, units[unit]);
	return buf;
}

const char *report_kind_text(const struct report_object *object)
{
	static const struct {
		const char *kind, *text;
	} texts[] = {
		{ "deleted-file", "deleted file" },	    { "live-file", "file" },
		{ "anonymous", "anonymous shared memory" }, { "memfd", "memfd" },
		{ "sysv", "System V shared memory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(texts[i].kind, object->kind))
			return texts[i].text;
	return object->kind;
}

bool report_may_write(const struct report_holder *holder)
{
	bool private = holder->fd < 0 && strchr(holder->access, 'p');

	return !private && strpbrk(holder->access, "w?");
}

const char *report_verdict(const struct report *report)
{
	if (report->images_dir)
		return report->refusals.n ? "These images cannot be restored" : "These images are complete and valid";
	return report->refusals.n ? "A dump would be refused"
				  : "A dump would succeed, as far as can be seen from outside";
}

const struct report_unknown *report_unknowns(const struct report *report, size_t *ret_n)
{
	static const struct report_unknown unknowns[] = {
		{ "mdwe", "whether a task has forbidden itself executable memory (PR_SET_MDWE)" },
		{ "security", "whether a security module lets criu attach to the tasks" },
		{ "registers", "whether a thread runs 32-bit code, has a shadow stack, open I/O ports or its system "
			       "calls dispatched" },
		{ "seccomp", "whether the seccomp filters can be read, and whether one of them has a supervisor" },
		{ "vdso", "whether the vdso of each task has room for the stub of remote calls" },
		{ "ipc", "whether adjustments of System V semaphores (SEM_UNDO) are each of one whole process, and "
			 "whether what mq_notify(3) asked for can be asked for again" },
		{ "terminals", "whether input waits for a pty's slave that nobody has opened yet, or more than the "
			       "line discipline of a slave holds" },
	};

	*ret_n = report->images_dir ? 0 : ARRAY_SIZE(unknowns);
	return unknowns;
}

/* --- the command ---------------------------------------------------------------------- */

static int finish_writing(FILE *out, const char *name)
{
	int bad = ferror(out);

	if (fflush(out) || bad)
		return fail(errno ? errno : EIO, "cannot write %s", name);
	return 0;
}

static int write_html(const struct report *report, const char *path)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int err;

	if (!out) {
		err = fail_errno("cannot create %s (option --html)", path);
		close_fdp(&fd);
		return err;
	}
	inspect_html(report, out);
	err = finish_writing(out, path);
	if (fclose(out) && !err)
		err = fail_errno("cannot write %s", path);
	return err;
}

static int write_report(const struct report *report, const struct options *options)
{
	int err;

	errno = 0;
	if (options->json)
		inspect_json(report, stdout);
	else
		inspect_text(report, stdout);
	err = finish_writing(stdout, "the standard output");
	if (!err && options->html_file)
		err = write_html(report, options->html_file);
	return err;
}

int command_inspect(const struct options *options, const struct kernel_features *features)
{
	struct report report;
	int err;

	report_init(&report);
	err = options->tree ? inspect_live(options, features, &report) : inspect_images(options, features, &report);
	if (!err)
		err = write_report(&report, options);
	if (!err && report.refusals.n)
		err = EXIT_REFUSED;
	report_free(&report);
	return err;
}
