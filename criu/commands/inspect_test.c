#include <stdlib.h>

#include "commands/inspect.h"
#include "util/escape.h"
#include "util/log.h"
#include "util/test.h"

/* In every text that somebody else chose. */
#define NASTY "</text><script>\"'&\x1b[2J\xff\n"

static char *text;
static size_t bytes;

static const char *written(const struct report *report, void (*write)(const struct report *report, FILE *out))
{
	FILE *out;

	free(text);
	out = open_memstream(&text, &bytes);
	write(report, out);
	fclose(out);
	return text;
}

static void add_holder(struct report *report, struct report_object *object, pid_t pid, bool outside)
{
	VEC_PUSH(&object->holders, ((struct report_holder){
					   .pid = pid,
					   .comm = outside ? NASTY : report_comm(report, pid),
					   .outside = outside,
					   .fd = -1,
					   .start = 0x1000,
					   .end = 0x2000,
					   .access = "rw-s",
				   }));
}

static struct report_object *add_object(struct report *report, enum decision decision)
{
	struct report_object *object = report_add_object(report);

	object->kind = "deleted-file";
	object->name = NASTY;
	object->filesystem = NASTY;
	object->size_bytes = UINT64_MAX;
	object->decision = decision;
	object->reason = NASTY;
	return object;
}

static void fill(struct report *report, int n_tasks)
{
	struct report_object *common;

	report_init(report);
	report->root = 100;
	for (int i = 0; i < n_tasks; i++) {
		struct report_task *task = report_add_task(report, 100 + i, 99, NASTY, 1);

		task->state = "sleeping";
		task->threads[0] = 100 + i;
	}
	common = add_object(report, DECISION_REFUSED);
	for (int i = n_tasks; i-- > 0;)
		add_holder(report, common, 100 + i, false);
	add_holder(report, common, 7, true);
	report_sort_holders(common);
	add_holder(report, add_object(report, DECISION_GHOST), 100, false);
	add_object(report, DECISION_FILE);
	report_add_refusal(report, NASTY, 100, 1);
}

static size_t count(const char *part)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, part)); p++)
		n++;
	return n;
}

static void test_writers(int n_tasks)
{
	struct report report;

	fill(&report, n_tasks);
	CHECK_EQ(report.objects.data[0]->holders.data[0].pid, 100);
	CHECK(report.objects.data[0]->holders.data[n_tasks].outside);
	written(&report, inspect_text);
	CHECK(utf8_is_valid(text) && !strchr(text, '\x1b') && strstr(text, "A dump would be refused:"));
	written(&report, inspect_json);
	CHECK(utf8_is_valid(text) && !strchr(text, '\x1b') && strstr(text, "\"name_hex\": \"3c2f74657874"));
	CHECK(strstr(text, "{\"text\": \"</text><script>\\\"'&\\u001b[2J") != NULL);
	written(&report, inspect_html);
	CHECK(utf8_is_valid(text) && !strchr(text, '\x1b') && !strstr(text, "<script"));
	CHECK_EQ(count("<svg"), 1);
	CHECK_EQ(count("<rect class=\"task\""), n_tasks > 24 ? 1 : n_tasks);
	CHECK_EQ(count("<rect class=\"out\""), 1);
	report_free(&report);
}

static void test_empty(void)
{
	struct report report;

	report_init(&report);
	report.images_dir = "/images";
	CHECK(strstr(written(&report, inspect_text), "complete and valid") != NULL);
	CHECK(strstr(written(&report, inspect_json), "\"tasks\": []") != NULL);
	CHECK(!strstr(written(&report, inspect_html), "<svg"));
	report_free(&report);
}

/* Images may say anything. */
static void test_external(enum external_holders how, bool saved, enum decision wanted)
{
	const struct options options = { .external_holders = how };
	ExternalHolderEntry mapping = EXTERNAL_HOLDER_ENTRY__INIT, fd = EXTERNAL_HOLDER_ENTRY__INIT;
	ExternalHolderEntry *holders[] = { &mapping, &fd };
	ExternalObjectEntry entry = EXTERNAL_OBJECT_ENTRY__INIT;
	struct report_object *object;
	struct report report;

	mapping.pid = 9;
	mapping.start = 0x1000;
	mapping.end = 0x2000;
	mapping.comm = fd.comm = NASTY;
	mapping.access = "rw-s";
	fd.pid = 8;
	fd.has_fd = true;
	fd.fd = 5;
	fd.has_tid = true;
	fd.tid = 6;
	fd.access = NASTY;
	entry.kind = entry.name = NASTY;
	entry.saved = saved;
	entry.holders = holders;
	entry.n_holders = 2;
	report_init(&report);
	report.images_dir = "/images";
	object = add_object(&report, DECISION_OBJECT);
	log_hold_errors(true);
	inspect_external(&entry, &options, &report, object);
	log_hold_errors(false);
	CHECK_EQ(object->decision, wanted);
	CHECK_EQ(report.refusals.n, wanted == DECISION_REFUSED);
	CHECK_EQ(object->holders.n, 2);
	CHECK(object->holders.data[0].outside && object->holders.data[0].end == 0x2000);
	CHECK_STR(object->holders.data[0].access, "rw-s");
	CHECK_EQ(object->holders.data[1].fd, 5);
	CHECK_EQ(object->holders.data[1].thread, 6);
	CHECK_STR(object->holders.data[1].access, "?");
	written(&report, inspect_text);
	CHECK(!strchr(text, '\x1b') && strstr(text, "OUTSIDE 9"));
	report_free(&report);
}

static void test_externals(void)
{
	test_external(EXTERNAL_DEFAULT, false, DECISION_ATTACH);
	test_external(EXTERNAL_DEFAULT, true, DECISION_COPY);
	test_external(EXTERNAL_ATTACH, true, DECISION_ATTACH);
	test_external(EXTERNAL_COPY, true, DECISION_COPY);
	test_external(EXTERNAL_COPY, false, DECISION_REFUSED);
	test_external(EXTERNAL_REFUSE, true, DECISION_REFUSED);
}

static void test_may_write(void)
{
	CHECK(report_may_write(&(struct report_holder){ .fd = -1, .access = "rw-s" }));
	CHECK(!report_may_write(&(struct report_holder){ .fd = -1, .access = "rw-p" }));
	CHECK(!report_may_write(&(struct report_holder){ .fd = -1, .access = "r--s" }));
	CHECK(report_may_write(&(struct report_holder){ .fd = 3, .access = "w" }));
	CHECK(!report_may_write(&(struct report_holder){ .fd = 3, .access = "p" }));
	CHECK(report_may_write(&(struct report_holder){ .fd = 3, .access = "?" }));
}

static void test_sizes(void)
{
	char buf[32];

	CHECK_STR(report_size(0, buf), "0 bytes");
	CHECK_STR(report_size(1023, buf), "1023 bytes");
	CHECK_STR(report_size(1536, buf), "1.5 KiB");
	CHECK_STR(report_size(64 << 20, buf), "64 MiB");
	CHECK_STR(report_size(UINT64_MAX, buf), "16 EiB");
}

int main(void)
{
	test_sizes();
	test_may_write();
	test_externals();
	test_empty();
	test_writers(2);
	test_writers(200);
	free(text);
	return test_end();
}
