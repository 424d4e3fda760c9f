/*
 * The report as one page: no script, nothing loaded from elsewhere (and a policy that forbids it), well-formed as XML
 * too, so that programs can check it. Every text of the report goes through escape_xml().
 */
#include <inttypes.h>

#include "commands/inspect.h"
#include "util/escape.h"

static const char head[] =
	"<!DOCTYPE html>\n"
	"<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\"/>\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
	"<meta name=\"viewport\" content=\"width=device-width\"/>\n"
	"<title>criu inspect</title>\n"
	"<style>\n"
	":root { color-scheme: light dark; --back: #ffffff; --text: #1b1f24; --dim: #5c6670; --line: #d5dae0; --box: "
	"#f4f6f8;"
	" --object: #1a7f4b; --attach: #7b3fb8; --copy: #a8327d; --ghost: #b26a00; --link: #2563c9; --file: #6b7580;"
	" --carried: #0b7d8c; --refused: #c62828; }\n"
	"@media (prefers-color-scheme: dark) { :root { --back: #14181d; --text: #e4e8ec; --dim: #9aa5b0;"
	" --line: #343c45; --box: #1e242b; --object: #4cc38a; --attach: #c49bf5; --copy: #f48fc6; --ghost: #e5a84b;"
	" --link: #7aa8f5; --file: #98a2ad; --carried: #4cc9d8; --refused: #ff7b72; } }\n"
	"body { font: 15px/1.45 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em;"
	" background: var(--back); color: var(--text); }\n"
	"h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }\n"
	".verdict { padding: .6em 1em; border-left: 5px solid var(--object); background: var(--box); }\n"
	".verdict.bad { border-color: var(--refused); }\n"
	"table { border-collapse: collapse; width: 100%; }\n"
	"th, td { text-align: left; vertical-align: top; padding: .35em .8em .35em 0; border-top: 1px solid "
	"var(--line); }\n"
	"th { color: var(--dim); font-weight: 600; } td.n { text-align: right; white-space: nowrap; }\n"
	"li { overflow-wrap: anywhere; } code, .holders { overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, "
	"monospace; }\n"
	".outside { color: var(--refused); font-weight: 600; }\n"
	".shared-object { color: var(--object); } .attach { color: var(--attach); } .copy { color: var(--copy); }"
	" .ghost { color: var(--ghost); } .link-remap { color: var(--link); } .file-system { color: var(--file); }"
	" .carried { color: var(--carried); } .refused { color: var(--refused); }\n"
	".decision { font-weight: 600; white-space: nowrap; } .dim { color: var(--dim); }\n"
	".legend span { white-space: nowrap; } .picture { overflow-x: auto; }\n"
	"svg { width: 100%; min-width: 880px; height: auto; } svg text { fill: var(--text); font: 13px system-ui, "
	"sans-serif; }\n"
	"svg text.dim { fill: var(--dim); font-size: 12px; } svg rect { fill: var(--box); stroke: currentColor; }\n"
	"svg rect.task { stroke: var(--line); } svg rect.out { stroke: var(--refused); stroke-dasharray: 5 3; }\n"
	"svg path { fill: none; stroke: currentColor; stroke-width: 1.3; opacity: .6; }\n"
	"svg path.r { stroke-dasharray: 5 4; } svg g:hover path { stroke-width: 3; opacity: 1; }\n"
	"</style>\n"
	"</head>\n"
	"<body>\n";

static void put_title(const struct report *report, FILE *out)
{
	fputs("<h1>", out);
	if (report->images_dir) {
		fputs("Images in ", out);
		escape_xml(out, report->images_dir);
	} else {
		fprintf(out, "Tree of task %d", report->root);
	}
	fprintf(out, "</h1>\n<p class=\"verdict%s\">%s. %zu processes, %zu shared memory objects.</p>\n",
		report->refusals.n ? " bad" : "", report_verdict(report), report->tasks.n, report->objects.n);
}

static void put_refusals(const struct report *report, FILE *out)
{
	if (!report->refusals.n)
		return;
	fputs("<h2>Reasons</h2>\n<ul>\n", out);
	for (size_t i = 0; i < report->refusals.n; i++) {
		fputs("<li>", out);
		escape_xml(out, report->refusals.data[i].text);
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

static void put_unknowns(const struct report *report, FILE *out)
{
	size_t n;
	const struct report_unknown *unknowns = report_unknowns(report, &n);

	if (!n)
		return;
	fputs("<p class=\"dim\">Known only once the tree is stopped:</p>\n<ul class=\"dim\">\n", out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "<li>%s</li>\n", unknowns[i].text);
	fputs("</ul>\n", out);
}

static void put_legend(FILE *out)
{
	fputs("<p class=\"dim legend\">A line is at least one mapping or descriptor; dashed: nobody can write through "
	      "it. ",
	      out);
	for (int i = 0; i < DECISIONS; i++)
		fprintf(out, "<span class=\"%s\">&#9632; %s</span> ", decision_words[i], decision_words[i]);
	fputs("</p>\n", out);
}

/* --- objects ---------------------------------------------------------------------- */

static void put_holder(const struct report_holder *holder, FILE *out)
{
	if (holder->fd < 0)
		fprintf(out, "%" PRIx64 "-%" PRIx64 " ", holder->start, holder->end);
	else
		fprintf(out, "%sfd %d ", holder->in_flight ? "in flight at " : "", holder->fd);
	if (holder->thread)
		fprintf(out, "of thread %d ", holder->thread);
	escape_xml(out, holder->access);
}

static void put_holders(const struct report_object *object, FILE *out)
{
	fprintf(out, "<details><summary>%zu held places</summary><div class=\"holders\">", object->holders.n);
	for (size_t i = 0; i < object->holders.n; i++) {
		const struct report_holder *holder = &object->holders.data[i];

		if (i && holder->pid == holder[-1].pid) {
			fputs(", ", out);
		} else {
			fprintf(out, "%s<span class=\"%s\">%s%d ", i ? "<br/>" : "",
				holder->outside ? "outside" : "inside", holder->outside ? "outside: " : "",
				holder->pid);
			escape_xml(out, holder->comm);
			fputs("</span>: ", out);
		}
		put_holder(holder, out);
	}
	fputs("</div></details>", out);
}

static void put_bytes(int64_t bytes, FILE *out)
{
	char buf[32];

	fprintf(out, "<td class=\"n\">%s</td>", bytes < 0 ? "" : report_size(bytes, buf));
}

static void put_object(const struct report_object *object, FILE *out)
{
	const char *word = decision_words[object->decision];

	fprintf(out, "<tr><td class=\"n\">%u</td><td>%s<br/><code>", object->id, report_kind_text(object));
	escape_xml(out, object->name);
	fputs("</code></td><td>", out);
	escape_xml(out, object->filesystem ? object->filesystem : "");
	fputs("</td>", out);
	put_bytes((int64_t)object->size_bytes, out);
	put_bytes(object->resident_bytes >= 0 ? object->resident_bytes : object->allocated_bytes, out);
	fprintf(out, "<td><span class=\"decision %s\">%s</span><br/>", word, word);
	escape_xml(out, object->decision == DECISION_REFUSED ? "see the reasons above" : object->reason);
	put_holders(object, out);
	fputs("</td></tr>\n", out);
}

static void put_objects(const struct report *report, FILE *out)
{
	if (!report->objects.n)
		return;
	fprintf(out,
		"<h2>Shared memory</h2>\n<table>\n<tr><th></th><th>object</th><th>on</th><th>size</th><th>%s</th>"
		"<th>dump</th></tr>\n",
		report->images_dir ? "saved" : "in memory");
	for (size_t i = 0; i < report->objects.n; i++)
		put_object(report->objects.data[i], out);
	fputs("</table>\n", out);
}

/* --- tasks ------------------------------------------------------------------------ */

static void put_tasks(const struct report *report, FILE *out)
{
	if (!report->tasks.n)
		return;
	fputs("<h2>Processes</h2>\n<table>\n<tr><th>pid</th><th>parent</th><th>threads</th><th>state</th>"
	      "<th>command</th></tr>\n",
	      out);
	for (size_t i = 0; i < report->tasks.n; i++) {
		const struct report_task *task = &report->tasks.data[i];

		fprintf(out, "<tr><td>%d</td><td>%d</td><td>%zu</td><td>%s</td><td>", task->pid, task->ppid,
			task->n_threads, task->state);
		escape_xml(out, task->comm);
		fputs("</td></tr>\n", out);
	}
	fputs("</table>\n", out);
}

void inspect_html(const struct report *report, FILE *out)
{
	fputs(head, out);
	put_title(report, out);
	put_refusals(report, out);
	if (report->objects.n) {
		fputs("<h2>Who shares what with whom</h2>\n", out);
		put_legend(out);
		fputs("<div class=\"picture\">\n", out);
		inspect_svg(report, out);
		fputs("</div>\n", out);
	}
	put_objects(report, out);
	put_tasks(report, out);
	put_unknowns(report, out);
	fputs("</body>\n</html>\n", out);
}
