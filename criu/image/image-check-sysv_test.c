/* Models in which one thing of System V IPC is broken. */
#include "image/test-model.h"

static void bad_vma_segment(struct model *model)
{
	model->tasks.data[0].mm->vmas[4]->shmid = 6;
}

static void bad_vma_beyond_segment(struct model *model)
{
	model->tasks.data[0].mm->vmas[4]->pgoff = PAGE_BYTES;
}

static void bad_vma_segment_private(struct model *model)
{
	model->tasks.data[0].mm->vmas[4]->status ^= VMA_ANON_SHARED | VMA_ANON_PRIVATE;
	model->tasks.data[0].mm->vmas[4]->flags = MAP_PRIVATE;
}

static void bad_segment_twice(struct model *model)
{
	add_segment(model, 8);
}

static void bad_segment_id(struct model *model)
{
	model->sysv_shms.data[0]->shm->desc->id = UINT32_MAX;
}

static void bad_segment_size(struct model *model)
{
	model->sysv_shms.data[0]->shm->size = UINT64_MAX;
}

static void bad_set_id(struct model *model)
{
	add_set(model, UINT32_MAX);
}

static void bad_set_twice(struct model *model)
{
	add_set(model, 5);
	add_set(model, 5);
}

static void bad_set_values(struct model *model)
{
	add_set(model, 5)->n_values = 1;
}

static void bad_set_pids(struct model *model)
{
	add_set(model, 5)->n_pids = 1;
}

static void bad_set_value(struct model *model)
{
	add_set(model, 5)->values[1] = 32768;
}

static void bad_adjust_num(struct model *model)
{
	add_set(model, 5)->adjusts[0]->num = 2;
}

static void bad_adjust(struct model *model)
{
	add_set(model, 5)->adjusts[0]->adjust = 32768;
}

static void bad_adjust_none(struct model *model)
{
	add_set(model, 5)->adjusts[0]->adjust = 0;
}

static void bad_adjust_pid(struct model *model)
{
	add_set(model, 5)->adjusts[0]->pid = 12345;
}

static void bad_adjust_zombie(struct model *model)
{
	add_set(model, 5)->adjusts[0]->pid = 30;
}

static void bad_adjust_twice(struct model *model)
{
	add_set(model, 5)->n_adjusts = 2;
}

static void bad_queue_twice(struct model *model)
{
	add_queue(model);
	add_queue(model);
}

static void bad_queue_count(struct model *model)
{
	add_queue(model)->queue->qnum = 2;
}

static void bad_message_type(struct model *model)
{
	add_queue(model)->messages[0]->msg->mtype = 0;
}

static void bad_message_size(struct model *model)
{
	add_queue(model)->messages[0]->msg->msize = 6;
}

static void bad_segment_pages(struct model *model)
{
	model->sysv_shms.data[0]->shm->in_pagemaps = false;
}

static void test_refused(struct image_dir *dir)
{
	static const struct test_spoiling cases[] = {
		TEST_SPOILING(bad_vma_segment),
		TEST_SPOILING(bad_vma_beyond_segment),
		TEST_SPOILING(bad_vma_segment_private),
		TEST_SPOILING(bad_segment_twice),
		TEST_SPOILING(bad_segment_id),
		TEST_SPOILING(bad_segment_size),
		TEST_SPOILING(bad_segment_pages),
		TEST_SPOILING(bad_set_id),
		TEST_SPOILING(bad_set_twice),
		TEST_SPOILING(bad_set_values),
		TEST_SPOILING(bad_set_pids),
		TEST_SPOILING(bad_set_value),
		TEST_SPOILING(bad_adjust_num),
		TEST_SPOILING(bad_adjust),
		TEST_SPOILING(bad_adjust_none),
		TEST_SPOILING(bad_adjust_pid),
		TEST_SPOILING(bad_adjust_zombie),
		TEST_SPOILING(bad_adjust_twice),
		TEST_SPOILING(bad_queue_twice),
		TEST_SPOILING(bad_queue_count),
		TEST_SPOILING(bad_message_type),
		TEST_SPOILING(bad_message_size),
	};

	test_model_refused(dir, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	struct image_dir dir = test_dir_open();

	test_refused(&dir);
	test_dir_remove(&dir);
	return test_end();
}
