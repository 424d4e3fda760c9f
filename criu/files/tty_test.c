/* Terminals in images: settings in both spellings, and entries that no dump writes. No root. */
#include <asm/termbits.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include "files/tty-settings.h"
#include "files/tty.h"
#include "util/test.h"

static TermiosEntry *settings_new(struct model *model, size_t n)
{
	TermiosEntry *entry = model_new(model, TermiosEntry, termios_entry__init);

	entry->c_cflag = CS8 | CREAD | B9600;
	entry->n_c_cc = n;
	entry->c_cc = arena_array(model->arena, uint32_t, n ? n : 1);
	return entry;
}

/* One character a word, and four. */
static void test_characters(void)
{
	struct model model;
	TermiosEntry *wide, *packed;
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	model_init(&model);
	wide = settings_new(&model, NCCS);
	for (size_t i = 0; i < NCCS; i++)
		wide->c_cc[i] = i * 10 + 1;
	CHECK_EQ(tty_settings_restore(wide, master), 0);
	packed = tty_settings_dump(&model, master);
	if (!CHECK(packed))
		return;
	CHECK_EQ(packed->n_c_cc, NCCS);
	for (size_t i = 0; i < NCCS; i++)
		CHECK_EQ(((uint8_t *)packed->c_cc)[i], i * 10 + 1);
	CHECK_EQ(packed->c_ospeed, 9600);
	packed->c_cc[0] ^= 0x01000000;
	CHECK_EQ(tty_settings_restore(packed, master), 0);
	wide = tty_settings_dump(&model, master);
	CHECK(wide && wide->c_cc[0] == packed->c_cc[0]);
	CHECK(!tty_settings_are_whole(settings_new(&model, NCCS - 1)));
	model_free(&model);
	close(master);
}

struct images {
	struct model model;
	TtyInfoEntry *slave, *master;
	TtyDataEntry *data;
};

static TtyInfoEntry *add_end(struct model *model, uint32_t id, dev_t rdev)
{
	TtyInfoEntry *info = model_new(model, TtyInfoEntry, tty_info_entry__init);

	info->id = id;
	info->type = TTY_TYPE__PTY;
	info->rdev = rdev;
	info->sid = info->pgrp = 10;
	info->pty = model_new(model, TtyPtyEntry, tty_pty_entry__init);
	info->pty->index = 3;
	info->termios = settings_new(model, NCCS);
	VEC_PUSH(&model->ttys, info);
	return info;
}

static void images_init(struct images *images)
{
	struct model *model = &images->model;
	struct task_image *task;

	model_init(model);
	task = model_add_task(model);
	task->pstree = model_new(model, PstreeEntry, pstree_entry__init);
	task->pstree->pid = task->pstree->sid = task->pstree->pgid = 10;
	task->mm = model_new(model, MmEntry, mm_entry__init);
	images->slave = add_end(model, 6, makedev(136, 3));
	images->master = add_end(model, 7, makedev(5, 2));
	images->data = model_new(model, TtyDataEntry, tty_data_entry__init);
	images->data->tty_id = 6;
	images->data->data = (ProtobufCBinaryData){ .data = (uint8_t *)"a\nrest", .len = 6 };
	images->data->has_edited = true;
	images->data->edited = 4;
	images->data->n_lines = 1;
	images->data->lines = arena_array(model->arena, uint32_t, 2);
	images->data->lines[0] = 2;
	VEC_PUSH(&model->tty_data, images->data);
	CHECK_EQ(model_index(model), 0);
}

static void bad_leader(struct images *images)
{
	images->model.tasks.data[0].pstree->sid = 9;
}

static void dead_leader(struct images *images)
{
	images->model.tasks.data[0].mm = NULL;
}

static void bad_session(struct images *images)
{
	images->slave->sid = 11;
}

static void bad_index(struct images *images)
{
	images->master->pty->index = 1 << 20;
}

static void bad_mode(struct images *images)
{
	images->slave->has_mode = true;
	images->slave->mode = 0100600;
}

static void few_characters(struct images *images)
{
	images->slave->termios->n_c_cc = 5;
}

static void few_locks(struct images *images)
{
	images->slave->termios_locked = settings_new(&images->model, 0);
}

static void bad_line_discipline(struct images *images)
{
	images->slave->termios->c_line = 256;
}

static void data_of_nothing(struct images *images)
{
	images->data->tty_id = 8;
}

static void lines_too_long(struct images *images)
{
	images->data->lines[0] = 3;
}

static void lines_beyond_numbers(struct images *images)
{
	images->data->n_lines = 2;
	images->data->lines[0] = UINT32_MAX;
	images->data->lines[1] = 3;
}

static void lines_without_rest(struct images *images)
{
	images->data->has_edited = false;
}

static void test_validate(void)
{
	static void (*const spoils[])(struct images *) = {
		bad_leader,	      dead_leader,	  bad_session,	       bad_index,	bad_mode,
		few_characters,	      few_locks,	  bad_line_discipline, data_of_nothing, lines_too_long,
		lines_beyond_numbers, lines_without_rest,
	};

	for (size_t i = 0; i <= ARRAY_SIZE(spoils); i++) {
		struct images images;

		images_init(&images);
		CHECK_EQ(ttys_validate(&images.model), 0);
		if (i < ARRAY_SIZE(spoils)) {
			spoils[i](&images);
			if (!CHECK_EQ(ttys_validate(&images.model), -EINVAL))
				printf("\tcase %zu\n", i);
		}
		model_free(&images.model);
	}
}

static void test_complete(void)
{
	struct images images;

	images_init(&images);
	images.slave->sid = images.slave->pgrp = 0;
	images.slave->dev = 0x15;
	images.master->dev = 5;
	CHECK(!tty_of_session(&images.model, 10));
	ttys_complete(&images.model);
	CHECK(tty_of_session(&images.model, 10) == images.slave);
	CHECK_EQ(images.slave->pgrp, 10);
	/* What a slave says itself is not changed. */
	images.slave->pgrp = 11;
	ttys_complete(&images.model);
	CHECK_EQ(images.slave->pgrp, 11);
	model_free(&images.model);
}

int main(void)
{
	log_set_level(LOG_MSG);
	test_characters();
	test_validate();
	test_complete();
	return test_end();
}
