/*
 * The picture: processes on the left, objects on the right, a line where one holds the other. With many rows, processes
 * with the same name and the same shared objects become one box, and so do objects of the same kind and fate with the same
 * holders; so what a hundred workers have in common is one line, and what is different about one of them is another.
 */
#include <string.h>

#include "commands/inspect.h"
#include "util/escape.h"

/* Up to so many rows are shown one by one. */
#define ROWS_UNGROUPED 24

#define TASK_X	   10
#define TASK_WIDTH 250
#define ITEM_X	   600
#define ITEM_WIDTH 480
#define WIDTH	   1090
#define ROW_HEIGHT 44
#define BOX_HEIGHT 36
#define TOP	   10
#define PADDING	   10
#define FONT_SIZE  13
#define COUNT_EMS  4.5 /* for " x 12345" behind a name */

/* Processes that are drawn as one. */
struct box {
	pid_t first;
	const char *comm;
	bool outside;
	size_t n;
	uint64_t key; /* what makes them alike */
	double y;     /* of its middle */

	const struct item *last; /* that has a line to it, */
	size_t last_line;	 /* this one */
};

struct line {
	size_t box;
	bool write;
};

/* Objects that are drawn as one. */
struct item {
	const struct report_object *first;
	size_t n;
	uint64_t bytes;
	VEC(struct line) lines;
	bool alone;  /* one process, not one box, has it */
	bool common; /* so many lines, one to each box of the tree, that they are not drawn */
	double y;
};

struct picture {
	const struct report *report;
	VEC(struct box) boxes;
	VEC(struct item *) items;
	struct hash box_of;  /* (pid, outside) -> its number, plus one */
	struct hash item_of; /* key -> struct item */
	bool group_tasks, group_objects;
	size_t n_inside; /* boxes of the tree; those outside follow */
};

static bool same_holder(const struct report_holder *a, const struct report_holder *b)
{
	return a->pid == b->pid && a->outside == b->outside;
}

/* One process that holds an object: @first is its first place there. */
struct holding {
	const struct report_object *object;
	const struct report_holder *first;
	bool write;
	bool alone; /* nobody else holds it */
};

/* Files that half the machine has mapped to read them are nobody's means to talk to anybody. */
static bool shows_outsiders(const struct report_object *object)
{
	if (object->decision != DECISION_FILE)
		return true;
	for (size_t i = 0; i < object->holders.n; i++)
		if (report_may_write(&object->holders.data[i]))
			return true;
	return false;
}

static void for_each_process(const struct report_object *object, void (*call)(void *arg, const struct holding *holding),
			     void *arg)
{
	const struct report_holder *holders = object->holders.data;
	bool outsiders = shows_outsiders(object);

	for (size_t i = 0, end; i < object->holders.n; i = end) {
		struct holding holding = { .object = object, .first = &holders[i] };

		for (end = i; end < object->holders.n && same_holder(&holders[end], &holders[i]); end++)
			holding.write |= report_may_write(&holders[end]);
		holding.alone = !i && end == object->holders.n;
		if (outsiders || !holding.first->outside)
			call(arg, &holding);
	}
}

/* FNV-1a, over whole numbers. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	return ((hash ^ value) * 1099511628211U) ^ hash >> 29;
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = mix(hash, (unsigned char)*text);
	return hash;
}

/* --- boxes ------------------------------------------------------------------------ */

static size_t find_box(const struct picture *picture, const struct report_holder *holder)
{
	return (uintptr_t)hash_get(&picture->box_of, holder->pid, holder->outside) - 1;
}

static void add_process(void *arg, const struct holding *holding)
{
	const struct report_holder *holder = holding->first;
	struct picture *picture = arg;
	struct box *box;

	if (!hash_get(&picture->box_of, holder->pid, holder->outside)) {
		box = VEC_ADD(&picture->boxes);
		box->first = holder->pid;
		box->comm = holder->comm;
		box->outside = holder->outside;
		box->n = 1;
		box->key = mix_text(holder->outside, holder->comm);
		hash_put(&picture->box_of, holder->pid, holder->outside, (void *)(uintptr_t)picture->boxes.n);
	}
	box = &picture->boxes.data[find_box(picture, holder)];
	/* What only one has does not make it another kind of process. */
	if (!holding->alone)
		box->key = mix(box->key, (uint64_t)holding->object->id << 1 | holding->write);
}

static int compare_boxes(const void *left, const void *right)
{
	const struct box *a = left, *b = right;
	int order = a->outside - b->outside;

	return order ? order : a->first < b->first ? -1 : a->first > b->first;
}

/* The pids of a box after the first one keep their way to it. */
static void merge_boxes(struct picture *picture)
{
	struct box *boxes = picture->boxes.data;
	struct hash by_key = { 0 };
	size_t kept = 0;

	qsort(boxes, picture->boxes.n, sizeof(*boxes), compare_boxes);
	for (size_t i = 0; i < picture->boxes.n; i++) {
		uintptr_t same = picture->group_tasks ? (uintptr_t)hash_get(&by_key, boxes[i].key, 0) : 0;

		hash_put(&picture->box_of, boxes[i].first, boxes[i].outside, (void *)(same ? same : kept + 1));
		if (same) {
			boxes[same - 1].n++;
			continue;
		}
		boxes[kept++] = boxes[i];
		hash_put(&by_key, boxes[i].key, 0, (void *)(uintptr_t)kept);
	}
	hash_free(&by_key);
	picture->boxes.n = kept;
	while (picture->n_inside < kept && !boxes[picture->n_inside].outside)
		picture->n_inside++;
}

/* --- items ------------------------------------------------------------------------ */

struct adding {
	struct picture *picture;
	struct item *item;
};

static void add_line(void *arg, const struct holding *holding)
{
	const struct adding *adding = arg;
	struct item *item = adding->item;
	size_t number = find_box(adding->picture, holding->first);
	struct box *box = &adding->picture->boxes.data[number];

	if (box->last == item) {
		item->lines.data[box->last_line].write |= holding->write;
		return;
	}
	box->last = item;
	box->last_line = item->lines.n;
	VEC_PUSH(&item->lines, ((struct line){ .box = number, .write = holding->write }));
	item->alone = holding->alone;
}

static uint64_t key_of(const struct item *item)
{
	uint64_t key = mix_text(item->first->decision, item->first->kind);

	key = mix(key, item->alone);
	for (size_t i = 0; i < item->lines.n; i++)
		key = mix(key, item->lines.data[i].box << 1 | item->lines.data[i].write);
	return key;
}

static void free_item(struct item *item)
{
	VEC_FREE(&item->lines);
	free(item);
}

static void add_item(struct picture *picture, const struct report_object *object)
{
	struct item *item = xalloc(sizeof(*item)), *same;

	item->first = object;
	item->n = 1;
	item->bytes = object->size_bytes;
	for_each_process(object, add_line, &(struct adding){ picture, item });
	same = picture->group_objects ? hash_get(&picture->item_of, key_of(item), 0) : NULL;
	if (!same) {
		hash_put(&picture->item_of, key_of(item), 0, item);
		VEC_PUSH(&picture->items, item);
		return;
	}
	same->n++;
	same->bytes += item->bytes;
	for (size_t i = 0; i < item->lines.n; i++)
		picture->boxes.data[item->lines.data[i].box].last = NULL;
	free_item(item);
}

/* --- places ----------------------------------------------------------------------- */

static bool is_drawn(const struct picture *picture, const struct item *item, const struct line *line)
{
	return !item->common || picture->boxes.data[line->box].outside;
}

static bool is_common(const struct picture *picture, const struct item *item)
{
	size_t n = 0;

	for (size_t i = 0; i < item->lines.n; i++)
		n += !picture->boxes.data[item->lines.data[i].box].outside;
	return n > ROWS_UNGROUPED && n == picture->n_inside;
}

/* What all have comes first. Everything else is at the height of its holders, so that lines are short and cross little. */
static void set_wish(struct picture *picture, struct item *item)
{
	item->y = 0;
	item->common = is_common(picture, item);
	for (size_t i = 0; !item->common && i < item->lines.n; i++)
		item->y += picture->boxes.data[item->lines.data[i].box].y / (double)item->lines.n;
}

static int compare_items(const void *left, const void *right)
{
	const struct item *a = *(struct item *const *)left, *b = *(struct item *const *)right;

	if (a->y != b->y)
		return a->y < b->y ? -1 : 1;
	return a->first->id < b->first->id ? -1 : 1;
}

/* Returns the height. */
static double place(struct picture *picture)
{
	double rows = (double)max_u64(picture->boxes.n, picture->items.n);
	double box_step = rows / (double)max_u64(picture->boxes.n, 1) * ROW_HEIGHT;
	double item_step = rows / (double)max_u64(picture->items.n, 1) * ROW_HEIGHT;

	for (size_t i = 0; i < picture->boxes.n; i++)
		picture->boxes.data[i].y = TOP + box_step * ((double)i + 0.5);
	for (size_t i = 0; i < picture->items.n; i++)
		set_wish(picture, picture->items.data[i]);
	qsort(picture->items.data, picture->items.n, sizeof(*picture->items.data), compare_items);
	for (size_t i = 0; i < picture->items.n; i++)
		picture->items.data[i]->y = TOP + item_step * ((double)i + 0.5);
	return rows * ROW_HEIGHT + 2 * TOP;
}

/* --- drawing ---------------------------------------------------------------------- */

/* At most so many ems, in a font that runs wide (DejaVu Sans): which one it will be is not known here. */
static double width_of(unsigned int c)
{
	if (c > 0xff)
		return 1.1;
	if (strchr("WMmw@%", (int)c))
		return 1;
	return c >= 'a' && c <= 'z' ? 0.64 : c >= '0' && c <= '9' ? 0.64 : strchr("/._- ,:;()", (int)c) ? 0.5 : 0.85;
}

static double text_width(const char *text)
{
	double ems = 0;
	unsigned int value;
	bool valid;

	while (*text) {
		text += utf8_decode(text, &value, &valid);
		ems += width_of(valid ? value : 0xfffd);
	}
	return ems;
}

/* What is too long for its box loses its begin: the end of a path tells more. */
static void put_name(const char *name, double ems, FILE *out)
{
	double width = text_width(name);
	const char *from = name;
	unsigned int value;
	bool valid;

	while (width > (from == name ? ems : ems - 1)) {
		from += utf8_decode(from, &value, &valid);
		width -= width_of(valid ? value : 0xfffd);
	}
	if (from != name)
		fputs("&#8230;", out);
	escape_xml(out, from);
}

static double box_ems(int box_width)
{
	return (double)(box_width - 2 * PADDING) / FONT_SIZE;
}

static void put_box(const struct box *box, FILE *out)
{
	fprintf(out, "<rect class=\"%s\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"5\"/>\n",
		box->outside ? "out" : "task", TASK_X, box->y - BOX_HEIGHT / 2.0, TASK_WIDTH, BOX_HEIGHT);
	fprintf(out, "<text x=\"%d\" y=\"%.1f\">", TASK_X + PADDING, box->y - 2);
	put_name(box->comm, box_ems(TASK_WIDTH) - (box->n > 1 ? COUNT_EMS : 0), out);
	if (box->n > 1)
		fprintf(out, " &#215; %zu", box->n);
	fprintf(out, "</text>\n<text class=\"dim\" x=\"%d\" y=\"%.1f\">%s%d%s</text>\n", TASK_X + PADDING, box->y + 13,
		box->outside ? "outside the tree: " : "", box->first, box->n > 1 ? " and others" : "");
}

static void put_line(const struct picture *picture, const struct item *item, const struct line *line, FILE *out)
{
	double from = picture->boxes.data[line->box].y;
	int left = TASK_X + TASK_WIDTH, middle = (left + ITEM_X) / 2;

	fprintf(out, "<path class=\"%s\" d=\"M%d %.1fC%d %.1f %d %.1f %d %.1f\"/>\n", line->write ? "w" : "r", left,
		from, middle, from, middle, item->y, ITEM_X, item->y);
}

static void put_item_text(const struct item *item, FILE *out)
{
	const struct report_object *object = item->first;
	char buf[32];

	fprintf(out, "<text x=\"%d\" y=\"%.1f\">", ITEM_X + PADDING, item->y - 2);
	if (item->n > 1)
		fprintf(out, "%zu &#215; %s", item->n, report_kind_text(object));
	else
		put_name(object->name, box_ems(ITEM_WIDTH), out);
	fprintf(out, "</text>\n<text class=\"dim\" x=\"%d\" y=\"%.1f\">", ITEM_X + PADDING, item->y + 13);
	if (item->n == 1)
		fprintf(out, "%u. %s, ", object->id, report_kind_text(object));
	fprintf(out, "%s, %s%s</text>\n", report_size(item->bytes, buf), decision_words[object->decision],
		item->common ? ", held by all" : "");
}

/* The lines belong to the object: pointing at one of them brings out all. */
static void put_item(const struct picture *picture, const struct item *item, FILE *out)
{
	fprintf(out, "<g class=\"%s\">\n<title>", decision_words[item->first->decision]);
	escape_xml(out, item->n > 1 ? report_kind_text(item->first) : item->first->name);
	fputs("</title>\n", out);
	for (size_t i = 0; i < item->lines.n; i++)
		if (is_drawn(picture, item, &item->lines.data[i]))
			put_line(picture, item, &item->lines.data[i], out);
	fprintf(out, "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"5\"/>\n", ITEM_X,
		item->y - BOX_HEIGHT / 2.0, ITEM_WIDTH, BOX_HEIGHT);
	put_item_text(item, out);
	fputs("</g>\n", out);
}

static void put_picture(const struct picture *picture, double height, FILE *out)
{
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %d %.0f\">\n", WIDTH,
		height);
	fputs("<title>Processes and the shared memory they hold</title>\n", out);
	for (size_t i = 0; i < picture->items.n; i++)
		put_item(picture, picture->items.data[i], out);
	for (size_t i = 0; i < picture->boxes.n; i++)
		put_box(&picture->boxes.data[i], out);
	fputs("</svg>\n", out);
}

void inspect_svg(const struct report *report, FILE *out)
{
	struct picture picture = { .report = report };

	for (size_t i = 0; i < report->objects.n; i++)
		for_each_process(report->objects.data[i], add_process, &picture);
	picture.group_tasks = picture.boxes.n > ROWS_UNGROUPED;
	picture.group_objects = report->objects.n > ROWS_UNGROUPED;
	merge_boxes(&picture);
	for (size_t i = 0; i < report->objects.n; i++)
		add_item(&picture, report->objects.data[i]);
	put_picture(&picture, place(&picture), out);
	for (size_t i = 0; i < picture.items.n; i++)
		free_item(picture.items.data[i]);
	VEC_FREE(&picture.boxes);
	VEC_FREE(&picture.items);
	hash_free(&picture.box_of);
	hash_free(&picture.item_of);
}
