#include <errno.h>

#include "image/image-check.h"
#include "image/test-model.h"

static void name_empty(struct model *model)
{
	model->mqueues.data[0]->name = arena_strdup(model->arena, "");
}

static void name_path(struct model *model)
{
	model->mqueues.data[0]->name = arena_strdup(model->arena, "a/b");
}

static void name_dots(struct model *model)
{
	model->mqueues.data[0]->name = arena_strdup(model->arena, "..");
}

static void no_room(struct model *model)
{
	model->mqueues.data[0]->maxmsg = 0;
}

static void too_many(struct model *model)
{
	model->mqueues.data[0]->curmsgs = 2;
}

static void too_large(struct model *model)
{
	model->mqueues.data[0]->msgsize = UINT32_MAX;
}

static void bad_mode(struct model *model)
{
	model->mqueues.data[0]->mode = 0100600;
}

static void twice(struct model *model)
{
	add_mqueue(model, model->mqueues.data[0]->id);
}

static void data_twice(struct model *model)
{
	VEC_PUSH(&model->mqueue_data, model->mqueue_data.data[0]);
}

static void data_of_none(struct model *model)
{
	model->mqueue_data.data[0]->queue_id++;
}

static void data_of_named(struct model *model)
{
	model->mqueues.data[0]->unlinked = false;
}

static void message_long(struct model *model)
{
	model->mqueues.data[0]->msgsize = 4;
}

static void bad_priority(struct model *model)
{
	model->mqueue_data.data[0]->messages[0]->priority = 32768;
}

/* Of a process that has no descriptor of it. */
static void told(struct model *model)
{
	MqueueNotifyEntry *notify = model_new(model, MqueueNotifyEntry, mqueue_notify_entry__init);

	notify->pid = 10;
	notify->fd = 0;
	model->mqueues.data[0]->notify = notify;
}

static void (*const bad[])(struct model *model) = {
	name_empty, name_path, data_twice, name_dots,	 no_room,	too_many,     too_large,
	bad_mode,   twice,     told,	   data_of_none, data_of_named, message_long, bad_priority,
};

int main(void)
{
	struct model model;

	model_init(&model);
	add_mqueue(&model, 3);
	add_mqueue(&model, 4);
	CHECK(!model_index(&model));
	CHECK_EQ(image_check_mqueues(&model), 0);
	CHECK(model_mqueue(&model, 4) && !model_mqueue(&model, 5));
	model_free(&model);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		model_init(&model);
		add_mqueue(&model, 3);
		bad[i](&model);
		CHECK(!model_index(&model));
		CHECK_EQ(image_check_mqueues(&model), -EINVAL);
		model_free(&model);
	}
	return test_end();
}
